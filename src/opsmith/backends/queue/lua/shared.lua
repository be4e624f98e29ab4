-- Stands in front of every script. KEYS[1] is the prefix of all keys; a hash tag in it keeps them
-- in one slot of a cluster. All times are milliseconds of the server's clock.
local p = KEYS[1]
local GROUP = 'workers'
local RANKS = { 'high', 'normal', 'low' }
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local DEAD_KEPT = 30 * 86400000

local function job_of(id) return p .. ':job:' .. id end
local function stream_of(rank) return p .. ':stream:' .. rank end

-- Put a job on its stream; the first message's id is its trace for good.
local function send(id)
  local job = job_of(id)
  local rank = redis.call('HGET', job, 'rank')
  local entry = redis.call('XADD', stream_of(rank), '*', 'id', id)
  redis.call('HSET', job, 'state', 'waiting', 'entry', entry)
  redis.call('HSETNX', job, 'trace', entry)
end

-- Take a job's message off its stream.
local function take_off(job, rank)
  local entry = redis.call('HGET', job, 'entry')
  if entry then
    redis.call('XACK', stream_of(rank), GROUP, entry)
    redis.call('XDEL', stream_of(rank), entry)
    redis.call('HDEL', job, 'entry')
  end
end

-- A tenant has room for `room` more: let that many of its parked jobs wait again.
local function unpark(tenant, room)
  local parked = p .. ':parked:' .. tenant
  while room > 0 do
    local popped = redis.call('ZPOPMIN', parked)
    if #popped == 0 then
      redis.call('SREM', p .. ':parked', tenant)
      return
    end
    if redis.call('HGET', job_of(popped[1]), 'state') == 'waiting' then
      send(popped[1])
      room = room - 1
    end
  end
end

-- A job's end: what is kept of it, and for how long.
local function finish(id, state, keep)
  local job = job_of(id)
  redis.call('HSET', job, 'state', state, 'ended', now)
  redis.call('HDEL', job, 'token', 'stop')
  redis.call('ZADD', p .. ':ends', now + keep, id)
  redis.call('PEXPIRE', job, keep)
  local key = redis.call('HGET', job, 'key')
  if key then redis.call('PEXPIRE', p .. ':key:' .. key, keep) end
  if state == 'dead' then redis.call('ZADD', p .. ':dead', now, id) end
  redis.call('HINCRBY', p .. ':count', state, 1)
end
