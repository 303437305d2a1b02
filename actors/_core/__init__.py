"""The kernel: what stands behind the refs. Public names live one folder up; nothing here is for import from outside.

From the bottom:

- `error_text`, `states`, `restarts`, `registrations`: plain data and pure functions.
- `kill_scope`, `tasks`, `deadlines`, `lag`: what is missing in asyncio.
- `tracing`: what a message carries of its sender. `body`, `runtime`: one open system.
- `mailbox`, `cell`: a child as it stands across its lives, and the protocols by which the parts know each other.
- `deadlock`, `watches`, `timers`, `heartbeat`, `background`: what serves one life.
- `incarnation`: one life of an actor, and what may be asked of it; `mailbox_loop`: its hot path; `traced`: what is
  done around each handler where a system traces; `lifecycle`: how it begins and ends; `crash_report`: what is told of
  that; `task_incarnation`: the same for a plain coroutine.
- `children`: starts and stops what is below a supervisor; `restarter`: decides, by the rules of `restarts`, what an end
  leads to; `commands`: what an operator may ask; `inbox`: what is to be done; `supervisor`: the task in which all that
  happens, one at a time.
- `snapshot`, `inspection`: read it all, and send nothing.

What happens on a crash: `lifecycle` from `_verdict` to `_over`, then `restarter` from `ended` on.
"""
