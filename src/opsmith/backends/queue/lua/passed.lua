-- Remember a schedule's newest slot: name, slot in seconds. An older one changes nothing.
local slots = p .. ':slots'
local last = tonumber(redis.call('HGET', slots, ARGV[1]) or '0')
if tonumber(ARGV[2]) > last then redis.call('HSET', slots, ARGV[1], ARGV[2]) end
return 1
