-- Drops from an outbox what the logs have taken in.
-- KEYS: outbox. ARGV: the last number taken in.
local taken = tonumber(ARGV[1])
while true do
  local oldest = redis.call('LINDEX', KEYS[1], 0)
  if not oldest or tonumber(string.match(oldest, '^%d+')) > taken then return 0 end
  redis.call('LPOP', KEYS[1])
end
