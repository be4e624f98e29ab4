-- Hold leases for longer: worker, then pairs of id and token.
-- Gives for each running, cancelled (somebody wants it to stop) or waiting (it is lost).
local answers = {}
for at = 2, #ARGV, 2 do
  local known = redis.call('HMGET', job_of(ARGV[at]), 'token', 'rank', 'entry', 'stop')
  if known[1] ~= ARGV[at + 1] then
    answers[#answers + 1] = 'waiting'
  else
    redis.call('XCLAIM', stream_of(known[2]), GROUP, ARGV[1], 0, known[3], 'JUSTID')
    answers[#answers + 1] = known[4] and 'cancelled' or 'running'
  end
end
return answers
