"""What the project is made of, looked at from outside: advisories, licences, secrets, bill of materials, workflows."""
