-- End a job that waits, ask for the end of one that runs. Gives 0 when there is none.
local id = ARGV[1]
local job = job_of(id)
local known = redis.call('HMGET', job, 'state', 'rank', 'tenant')
if not known[1] then return 0 end
if known[1] == 'running' then
  redis.call('HSET', job, 'stop', 1)
elseif known[1] == 'waiting' or known[1] == 'delayed' then
  take_off(job, known[2])
  redis.call('ZREM', p .. ':due', id)
  redis.call('ZREM', p .. ':parked:' .. known[3], id)
  finish(id, 'cancelled', DEAD_KEPT)
end
return 1
