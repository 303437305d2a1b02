"""What the child does, a file for each kind of job. Only Spark's own processes load this."""
