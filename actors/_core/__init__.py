"""The kernel: what stands behind the refs. Public names live one folder up; nothing here is for import from outside.

From the bottom: `error_text`, `states`, `restarts` and `registrations` are plain data and pure functions; `kill_scope`,
`tasks`, `deadlines` and `lag` know asyncio; `runtime` is one open system; `mailbox` and `cell` are a child as it stands
across its lives; `deadlock`, `watches`, `timers`, `heartbeat` and `background` serve one life. `incarnation` is one
life of an actor, `mailbox_loop` its hot path, `lifecycle` how it begins and ends, `task_life` the same for a plain
coroutine. `children` starts and stops what is below a supervisor, `supervisor` decides what a crash leads to, by the
rules of `restarts`; `snapshot` reads it all. What happens on a crash: `lifecycle`, then `supervisor`.
"""
