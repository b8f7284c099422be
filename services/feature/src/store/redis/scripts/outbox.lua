-- The oldest entries of an outbox. It writes, so that whoever waits for replicas afterwards knows
-- that they have these entries too.
-- KEYS: outbox, its last number. ARGV: most entries.
redis.call('SET', KEYS[2], redis.call('GET', KEYS[2]) or '0')
return redis.call('LRANGE', KEYS[1], 0, tonumber(ARGV[1]) - 1)
