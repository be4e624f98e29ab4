-- Lend jobs to a worker: worker, most, lease, limit of a tenant (0 for none), then pairs of rank
-- and entry and id that a blocking read has taken for it already.
-- Gives the milliseconds until the next delayed job (-1 for none), then for each lent job its id,
-- trace, attempt, token and record.
local worker, most = ARGV[1], tonumber(ARGV[2])
local lease, limit = tonumber(ARGV[3]), tonumber(ARGV[4])
local lent, count = { -1 }, 0

local function forget(rank, entry)
  redis.call('XACK', stream_of(rank), GROUP, entry)
  redis.call('XDEL', stream_of(rank), entry)
end

-- A message is worth a lease only when it is its job's own and the job has not ended.
local function begin(rank, entry, id)
  local job = job_of(id)
  local known = redis.call('HMGET', job, 'state', 'entry', 'tenant', 'tries', 'n', 'trace', 'record')
  local state, tenant = known[1], known[3]
  if known[2] ~= entry or (state ~= 'waiting' and state ~= 'running') then
    forget(rank, entry)
    return
  end
  local running = p .. ':running:' .. tenant
  if state == 'running' and tonumber(known[5]) >= tonumber(known[4]) then
    take_off(job, rank)
    redis.call('SREM', running, id)
    redis.call('HSET', job, 'error', 'Its workers were lost each time it was tried.')
    finish(id, 'dead', DEAD_KEPT)
    unpark(tenant, 1)
    return
  end
  if limit > 0 and state == 'waiting' and redis.call('SCARD', running) >= limit then
    take_off(job, rank)
    redis.call('ZADD', p .. ':parked:' .. tenant, redis.call('INCR', p .. ':turn'), id)
    redis.call('SADD', p .. ':parked', tenant)
    return
  end
  local n = redis.call('HINCRBY', job, 'n', 1)
  local token = worker .. ' ' .. redis.call('HINCRBY', job, 'lends', 1)
  redis.call('HSET', job, 'state', 'running', 'token', token, 'worker', worker, 'began', now)
  redis.call('SADD', running, id)
  count = count + 1
  for _, value in ipairs({ id, known[6], n, token, known[7] }) do lent[#lent + 1] = value end
end

-- What is due goes on its stream.
for _, id in ipairs(redis.call('ZRANGEBYSCORE', p .. ':due', '-inf', now, 'LIMIT', 0, 200)) do
  redis.call('ZREM', p .. ':due', id)
  if redis.call('HGET', job_of(id), 'state') == 'delayed' then send(id) end
end

for at = 5, #ARGV, 3 do begin(ARGV[at], ARGV[at + 1], ARGV[at + 2]) end

-- Now and then: what nobody renewed is somebody else's, what ended long ago is forgotten, and
-- tenants whose limit rose go on. XAUTOCLAIM gives the messages whose lease is over.
if redis.call('SET', p .. ':swept', 1, 'NX', 'PX', math.max(1, math.floor(lease / 5))) then
  for _, rank in ipairs(RANKS) do
    local cursor = '0-0'
    while count < most do
      local found = redis.call(
        'XAUTOCLAIM', stream_of(rank), GROUP, worker, lease, cursor, 'COUNT', most - count)
      for _, message in ipairs(found[2]) do begin(rank, message[1], message[2][2]) end
      cursor = found[1]
      if cursor == '0-0' then break end
    end
  end
  -- A worker that went away holds a name; one that comes back takes it again by itself.
  for _, rank in ipairs(RANKS) do
    for _, known in ipairs(redis.call('XINFO', 'CONSUMERS', stream_of(rank), GROUP)) do
      if known[4] == 0 and known[6] > 10 * lease then
        redis.call('XGROUP', 'DELCONSUMER', stream_of(rank), GROUP, known[2])
      end
    end
  end
  local over = redis.call('ZRANGEBYSCORE', p .. ':ends', '-inf', now, 'LIMIT', 0, 1000)
  for _, id in ipairs(over) do
    redis.call('ZREM', p .. ':ends', id)
    if redis.call('EXISTS', job_of(id)) == 0 then
      redis.call('ZREM', p .. ':all', id)
      redis.call('ZREM', p .. ':dead', id)
    end
  end
  for _, tenant in ipairs(redis.call('SMEMBERS', p .. ':parked')) do
    local held = redis.call('SCARD', p .. ':running:' .. tenant)
    unpark(tenant, limit > 0 and limit - held or 1000)
  end
end

for _, rank in ipairs(RANKS) do
  while count < most do
    local read = redis.call('XREADGROUP', 'GROUP', GROUP, worker, 'COUNT', most - count,
      'STREAMS', stream_of(rank), '>')
    if not read then break end
    for _, message in ipairs(read[1][2]) do begin(rank, message[1], message[2][2]) end
  end
end

local first = redis.call('ZRANGE', p .. ':due', 0, 0, 'WITHSCORES')
if #first > 0 then lent[1] = math.max(0, tonumber(first[2]) - now) end
return lent
