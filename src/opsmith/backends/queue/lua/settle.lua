-- End leases. Six arguments each: id, token, state, due, result, error.
-- Gives 1 for each that was held, 0 for each that was lost.
local answers = {}
for at = 1, #ARGV, 6 do
  local id, state = ARGV[at], ARGV[at + 2]
  local job = job_of(id)
  local known = redis.call('HMGET', job, 'token', 'rank', 'tenant', 'keep', 'stop')
  if not known[1] or known[1] ~= ARGV[at + 1] then
    answers[#answers + 1] = 0
  else
    answers[#answers + 1] = 1
    take_off(job, known[2])
    redis.call('SREM', p .. ':running:' .. known[3], id)
    redis.call('HDEL', job, 'token')
    redis.call('HSET', job, 'result', ARGV[at + 4], 'error', ARGV[at + 5])
    if known[5] and (state == 'delayed' or state == 'waiting') then state = 'cancelled' end
    if state == 'delayed' then
      redis.call('HSET', job, 'state', 'delayed')
      redis.call('ZADD', p .. ':due', ARGV[at + 3], id)
    elseif state == 'waiting' then
      redis.call('HINCRBY', job, 'n', -1)
      send(id)
    else
      finish(id, state, state == 'done' and tonumber(known[4]) or DEAD_KEPT)
    end
    unpark(known[3], 1)
  end
end
return answers
