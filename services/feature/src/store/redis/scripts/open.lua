-- Gives what the store says of itself; a new one is founded first.
-- KEYS: the numbers. ARGV: format, name, partitions.
if redis.call('EXISTS', KEYS[1]) == 0 then
  redis.call('HSET', KEYS[1], 'format', ARGV[1], 'store', ARGV[2], 'partitions', ARGV[3],
    'items', 0, 'events', 0, 'dropped', 0, 'first', 1, 'held', 0, 'deletions', 0)
end
return redis.call('HMGET', KEYS[1], 'format', 'store', 'partitions', 'items', 'events', 'deletions')
