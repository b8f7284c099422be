-- A page of the item log, from one state of the store.
-- KEYS: the numbers; every other key has its prefix. ARGV: after, most entries, most bytes.
-- Gives the head, 1 where the page goes up to it, then sequence, item, record or false of each.
local prefix = string.sub(KEYS[1], 1, -2)
local entries, bytes = tonumber(ARGV[2]), tonumber(ARGV[3])
local rows = redis.call('ZRANGEBYSCORE', prefix .. 'items', '(' .. ARGV[1], '+inf', 'WITHSCORES',
  'LIMIT', 0, entries + 1)
local page = { tonumber(redis.call('HGET', KEYS[1], 'items')), 1 }
for at = 1, #rows, 2 do
  if at > 2 * entries or bytes <= 0 then
    page[2] = 0
    break
  end
  local record = redis.call('GET', prefix .. 'i:' .. rows[at])
  bytes = bytes - (record and #record or 0)
  page[#page + 1] = tonumber(rows[at + 1])
  page[#page + 1] = rows[at]
  page[#page + 1] = record
end
return page
