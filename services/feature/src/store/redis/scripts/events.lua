-- A page of the event log, from one state of the store.
-- KEYS: the numbers; every other key has its prefix. ARGV: after, most entries, most bytes.
-- Gives the head, the last number dropped, the number up to which was read, then sequence and event
-- of each. It reads a bounded stretch of the log, which may hold nothing.
local prefix = string.sub(KEYS[1], 1, -2)
local entries, bytes, stretches = tonumber(ARGV[2]), tonumber(ARGV[3]), 200
local stored = redis.call('HMGET', KEYS[1], 'events', 'dropped', 'first')
local head = tonumber(stored[1])
local from = math.max(tonumber(ARGV[1]) + 1, tonumber(stored[3]))
local page = { head, tonumber(stored[2]), 0 }
while from <= head and entries > 0 and bytes > 0 and stretches > 0 do
  local start = from - from % 64
  local last = math.min(start + 63, head)
  local fields = {}
  for sequence = from, last do fields[#fields + 1] = sequence - start end
  for index, event in ipairs(redis.call('HMGET', prefix .. 'e:' .. start / 64, unpack(fields))) do
    if event then
      page[#page + 1] = from + index - 1
      page[#page + 1] = event
      entries, bytes = entries - 1, bytes - #event
    end
  end
  from, stretches = last + 1, stretches - 1
end
page[3] = math.max(math.min(from - 1, head), 0)
return page
