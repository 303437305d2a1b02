"""What Redis itself decides, in one step: the one script that all processes share.

It is one text, so that Redis knows all of it or nothing. It forgets scripts when it restarts and when another server
takes its place: who is the first to be told so cannot know what went lost with them, a position or a whole second of
its log, and has the script begin a new generation as it is brought in again.

Keys of one database: `state`, a hash of the generation and of the newest position of each symbol and dimension; `used`
and `expiry`, the names of the entries by the time of their last use and of their end; and of each generation `entry`
and `lease` of a window. All but `state` end by themselves. Any of them may go at any time: without `state` there is no
generation, and so nothing of before is seen; without a lease nothing is put; without `used` more is kept for a while.

Positions are 20 digits, for Lua's numbers are too small; a lease is the position that was required when it was
granted, and who holds it.

Each call may be carried out twice, for an answer may be lost: leases and generations have names that who asks has
made, and who finds his own already there has what he wanted.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from typing import Any, Final

from redis.exceptions import NoScriptError

from backbone.cache.redis.connections import Connections
from backbone.cache.redis.wire import Word, packed

__all__ = ["SCRIPT", "Scripts"]

SCRIPT: Final = """
local verb, mine, state = ARGV[1], ARGV[2], KEYS[1]
local ZERO = '00000000000000000000'

local function now()
  local time = redis.call('TIME')
  return time[1] * 1000000 + time[2]
end

local function begin()
  redis.call('UNLINK', state, KEYS[2], KEYS[3])
  redis.call('HSET', state, '!generation', mine)
  return mine
end

local function current()
  local generation = redis.call('HGET', state, '!generation')
  return generation or begin()
end

local function required(first)
  local newest = ZERO
  for from = first, #ARGV, 1000 do
    local found = redis.call('HMGET', state, unpack(ARGV, from, math.min(from + 999, #ARGV)))
    for i = 1, #found do
      if found[i] and found[i] > newest then newest = found[i] end
    end
  end
  return newest
end

local function sweep(most)
  local ended = redis.call('ZRANGE', KEYS[3], '-inf', now(), 'BYSCORE', 'LIMIT', 0, most)
  for i = 1, #ended do
    redis.call('ZREM', KEYS[2], ended[i])
    redis.call('ZREM', KEYS[3], ended[i])
  end
  return #ended
end

if verb == 'get' then
  local least, known, generation, seconds, room = unpack(ARGV, 3, 7)
  local there = current()
  if there ~= generation then return {'moved', there} end
  local newest, old = required(8), 0
  local held = redis.call('HMGET', KEYS[4], 'position', 'lease')
  if held[1] then
    if held[1] >= least and held[1] >= newest then
      if room ~= '' and redis.call('ZCARD', KEYS[2]) > tonumber(room) then
        redis.call('ZADD', KEYS[2], 'XX', now(), KEYS[4])
      end
      return {held[2] == known and 'same' or 'hit', held[1], held[2]}
    end
    old = 1
  end
  local lease = redis.call('GET', KEYS[5])
  local holder = lease and lease:sub(21)
  if lease and lease:sub(1, 20) >= newest and holder ~= mine then
    return {'wait', holder, redis.call('PTTL', KEYS[5]), old}
  end
  redis.call('SET', KEYS[5], newest .. mine, 'PX', seconds)
  return {'miss', old}
end

if verb == 'put' then
  local generation, position, checksum, rows, ttl, capacity = unpack(ARGV, 3, 8)
  local lease = redis.call('GET', KEYS[5])
  local held = redis.call('HMGET', KEYS[4], 'position', 'lease')
  if not lease or lease:sub(21) ~= mine then
    return {held[1] == position and held[2] == mine and 1 or 0, 0, 0}
  end
  redis.call('DEL', KEYS[5])
  if redis.call('HGET', state, '!generation') ~= generation then return {0, 0, 0} end
  if ttl == '0' or position < required(9) or (held[1] and position < held[1]) then return {0, 0, 0} end
  redis.call('HSET', KEYS[4], 'position', position, 'lease', mine, 'checksum', checksum, 'rows', rows)
  redis.call('PEXPIRE', KEYS[4], ttl)
  local time = now()
  redis.call('ZADD', KEYS[2], time, KEYS[4])
  redis.call('ZADD', KEYS[3], time + ttl * 1000, KEYS[4])
  redis.call('PEXPIRE', KEYS[2], ttl * 2)
  redis.call('PEXPIRE', KEYS[3], ttl * 2)
  local ended, evicted = sweep(100), {}
  if capacity ~= '' then
    local over = redis.call('ZCARD', KEYS[2]) - capacity
    if over > 0 then evicted = redis.call('ZPOPMIN', KEYS[2], over) end
  end
  for i = 1, #evicted, 2 do
    redis.call('UNLINK', evicted[i])
    redis.call('ZREM', KEYS[3], evicted[i])
  end
  return {1, #evicted / 2, ended}
end

if verb == 'release' then
  local lease = redis.call('GET', KEYS[5])
  if lease and lease:sub(21) == mine then redis.call('DEL', KEYS[5]) end
  return 1
end

if verb == 'peek' then
  local generation = current()
  if generation ~= ARGV[3] then return {'moved', generation} end
  local held = redis.call('HMGET', KEYS[4], 'position', 'lease', 'checksum', 'rows')
  if not held[1] then return {'miss', 0} end
  return {'hit', held[1], held[2], held[3], held[4]}
end

if verb == 'invalidate' then
  current()
  local newest, moved = ZERO, 0
  for i = 4, #ARGV, 2 do
    local before = redis.call('HGET', state, ARGV[i])
    if not before or before < ARGV[i + 1] then
      redis.call('HSET', state, ARGV[i], ARGV[i + 1])
      moved = moved + 1
      if newest < ARGV[i + 1] then newest = ARGV[i + 1] end
    end
  end
  if moved > 0 and (redis.call('HGET', state, ARGV[3]) or '') < newest then
    redis.call('HSET', state, ARGV[3], newest)
  end
  return moved
end

if verb == 'clear' then
  if redis.call('HGET', state, '!generation') ~= mine then begin() end
  return 1
end

return {current(), sweep(1000), redis.call('ZCARD', KEYS[2])}
"""


class Scripts:
    """Runs the script.

    Args:
        connections: to Redis.
    """

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self.digest = hashlib.sha1(SCRIPT.encode(), usedforsecurity=False).hexdigest()

    async def run(self, verb: str, mine: str, keys: Sequence[str], *arguments: Word) -> Any:
        """What the script answers.

        Args:
            verb: put, release, peek, invalidate, clear or count; `get` is sent by `send`.
            mine: a name that nobody has used: of the lease or the generation that this call may begin.
            keys: state, used, expiry; of one window also entry and lease.
            arguments: of the verb.

        Raises:
            CacheUnavailable: no answer.
        """
        words = ("EVALSHA", self.digest, len(keys), *keys, verb, mine, *arguments)
        return (await self.send(packed(words), 1, keys))[0]

    async def send(self, commands: bytes, answers: int, keys: Sequence[str]) -> list[Any]:
        """The answers to commands of which one runs the script.

        Args:
            commands: packed.
            answers: how many commands they are.
            keys: as for `run`.

        Raises:
            CacheUnavailable: no answer.
        """
        try:
            return await self._connections.exchange(commands, answers)
        except NoScriptError:
            # a name of its own: what is on its disk may be the very generation that the call itself would begin
            await self._connections.call(("EVAL", SCRIPT, 3, *keys[:3], "clear", secrets.token_hex(12)))
            return await self._connections.exchange(commands, answers)
