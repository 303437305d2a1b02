"""What the project is made of, looked at from outside: `make audit`. Exits 1 where a check found something.

What could not be asked, since a registry or a database of advisories can't be reached, is said and fails nothing.
"""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor

from tests.audit.advisories import advisories
from tests.audit.licences import licences
from tests.audit.sbom import is_current
from tests.audit.secret_scan import secrets
from tests.audit.workflows import workflows


def main() -> int:
    """Run all checks at once, and say what each found."""
    checks = (advisories, licences, secrets, is_current, workflows)
    with ThreadPoolExecutor(len(checks)) as pool:
        results = [future.result() for future in [pool.submit(check) for check in checks]]
    sys.stdout.write("\n".join(line for result in results for line in result.lines()) + "\n")
    return 1 if any(result.problems for result in results) else 0


if __name__ == "__main__":
    raise SystemExit(main())
