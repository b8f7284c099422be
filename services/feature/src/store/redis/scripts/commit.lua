-- Writes users of one partition and what is to go to the logs, where nothing has changed since they
-- were read; false where something has.
-- KEYS: outbox, its last number, floor of versions; then state and recorded events of each user.
-- ARGV: floor as read, new floor or '', most recorded events, stamp of each user as read; then for
-- each user: new state or '', count of recorded events that go (-1: all) and these, count of those
-- that come and these; then the payloads for the outbox.
local outbox, last, floor = KEYS[1], KEYS[2], KEYS[3]
local users = (#KEYS - 3) / 2
if (redis.call('GET', floor) or '') ~= ARGV[1] then return false end
for user = 1, users do
  if redis.call('GETRANGE', KEYS[2 * user + 2], 0, 7) ~= ARGV[3 + user] then return false end
end

local at = 3 + users
local function take()
  at = at + 1
  return ARGV[at]
end

if ARGV[2] ~= '' then redis.call('SET', floor, ARGV[2]) end
for user = 1, users do
  local state, recorded = KEYS[2 * user + 2], KEYS[2 * user + 3]
  local value = take()
  if value == '' then redis.call('DEL', state) else redis.call('SET', state, value) end
  local go = tonumber(take())
  if go < 0 then redis.call('DEL', recorded) end
  for _ = 1, go do redis.call('LREM', recorded, -1, take()) end
  local come = tonumber(take())
  for _ = 1, come do redis.call('RPUSH', recorded, take()) end
  if come > 0 then redis.call('LTRIM', recorded, -tonumber(ARGV[3]), -1) end
end

-- From the time, so that numbers still grow where a failover lost the last ones.
local time = redis.call('TIME')
local number = math.max(tonumber(redis.call('GET', last) or '0'), time[1] * 1000000 + time[2])
while at < #ARGV do
  number = number + 1
  redis.call('RPUSH', outbox, string.format('%.0f ', number) .. take())
end
redis.call('SET', last, string.format('%.0f', number))
return redis.call('LRANGE', outbox, 0, 1999)
