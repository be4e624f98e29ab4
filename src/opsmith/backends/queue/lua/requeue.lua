-- Let a dead or cancelled job wait again. Gives its state when it is in another, 'none' for none.
local id = ARGV[1]
local job = job_of(id)
local state = redis.call('HGET', job, 'state')
if not state then return 'none' end
if state ~= 'dead' and state ~= 'cancelled' then return state end
redis.call('PERSIST', job)
local key = redis.call('HGET', job, 'key')
if key then redis.call('SET', p .. ':key:' .. key, id, 'NX') redis.call('PERSIST', p .. ':key:' .. key) end
redis.call('ZREM', p .. ':dead', id)
redis.call('ZREM', p .. ':ends', id)
redis.call('ZADD', p .. ':all', 'NX', now, id)
redis.call('HSET', job, 'n', 0)
redis.call('HDEL', job, 'ended', 'error', 'result', 'worker')
send(id)
return ''
