-- Keep jobs. Eight arguments a job: id, rank, tenant, key, due (0 for at once), keep, tries, record.
-- Gives the ids, for a key that is known that of the first job.
local given = {}
for at = 1, #ARGV, 8 do
  local id, key, due = ARGV[at], ARGV[at + 3], tonumber(ARGV[at + 4])
  local job = job_of(id)
  local held = key ~= '' and redis.call('GET', p .. ':key:' .. key)
  if held and held ~= id and redis.call('EXISTS', job_of(held)) == 1 then
    given[#given + 1] = held
  else
    given[#given + 1] = id
    if redis.call('EXISTS', job) == 0 then
      redis.call('HSET', job, 'rank', ARGV[at + 1], 'tenant', ARGV[at + 2], 'keep', ARGV[at + 5],
        'tries', ARGV[at + 6], 'record', ARGV[at + 7], 'put', now, 'n', 0)
      if key ~= '' then
        redis.call('HSET', job, 'key', key)
        redis.call('SET', p .. ':key:' .. key, id)
      end
      redis.call('ZADD', p .. ':all', now, id)
      if due > now then
        redis.call('HSET', job, 'state', 'delayed')
        redis.call('ZADD', p .. ':due', due, id)
      else
        send(id)
      end
    end
  end
end
return given
