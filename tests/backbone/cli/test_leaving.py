"""How the process of a command ends."""

import pytest

from tests.programs import end_of

PROGRAM = """
    import atexit, sys, threading
    from backbone.cli.main import main

    class Large:
        def __del__(self):
            print("freed")

    def work():
        threading.main_thread().join()
        print("worked")

    large = Large()
    atexit.register(print, "registered")
    threading.Thread(target=work).start()
    sys.argv = ["backbone", "{word}"]
    main()
"""


@pytest.mark.slow
@pytest.mark.parametrize(("word", "code"), [("help", 0), ("nonsense", 2)])
def test_threads_are_waited_for_and_what_is_registered_is_done_but_nothing_is_freed_one_by_one(
    word: str, code: int
) -> None:
    ended = end_of(PROGRAM.format(word=word))
    assert ended.code == code, ended.err
    assert ended.out.splitlines()[-2:] == ["worked", "registered"]


INTERRUPTED = """
    import atexit, os, signal, sys, threading
    from backbone.cli.main import main

    def work():
        threading.main_thread().join()
        os.kill(os.getpid(), signal.SIGINT)
        threading.Event().wait()

    atexit.register(print, "registered")
    threading.Thread(target=work).start()
    sys.argv = ["backbone", "help"]
    main()
"""


@pytest.mark.slow
def test_who_does_not_wait_for_threads_any_longer_has_what_is_registered_done() -> None:
    ended = end_of(INTERRUPTED)
    assert ended.code == 130, ended.err
    assert ended.out.splitlines()[-1] == "registered"
    assert "Traceback" not in ended.err
