-- Gives the store another name, where it still has the one given.
-- KEYS: the numbers. ARGV: name, new name.
if redis.call('HGET', KEYS[1], 'store') == ARGV[1] then
  redis.call('HSET', KEYS[1], 'store', ARGV[2])
end
return redis.call('HGET', KEYS[1], 'store')
