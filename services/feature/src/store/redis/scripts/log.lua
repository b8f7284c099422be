-- Changes the catalogue, the counters and the logs, in the order of the operations.
-- KEYS: the numbers; every other key has its prefix. ARGV: most events, heads of items and events as
-- the caller knows them, a new name, source or '', position as expected, new position; then
-- operations:
--   'e', partition, number, payload: takes an entry of an outbox in, once
--   'u', item, record: creates or replaces an item
--   'd', item: deletes an item
-- Payloads: '+' user item action event, '-' user item action identity, 'x' user; ids as 16 hex
-- digits. Gives whether the position was as expected, both heads, the number of deleted users, and
-- '1' or '0' for each 'u' and 'd'. Where it was not, only the outboxes are taken in.
local numbers = KEYS[1]
local prefix = string.sub(numbers, 1, -2)
-- While the slot moves to another node, asking for what is not there is an error. It has to come
-- before anything is written: a script that ends half-way is not taken back.
redis.call('GET', prefix .. 'none')
local stored = redis.call('HMGET', numbers, 'items', 'events', 'dropped', 'first', 'held', 'deletions')
for index, number in ipairs(stored) do stored[index] = tonumber(number) end
local items, events, dropped, first, held, deletions = unpack(stored)
local server = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')

local function place(sequence)
  return prefix .. 'e:' .. math.floor(sequence / 64), sequence % 64
end

local function count(item, action, by)
  local counters = prefix .. 'c:' .. item
  if redis.call('HINCRBY', counters, action, by) <= 0 then redis.call('HDEL', counters, action) end
end

local function drop(sequence, page, field, user)
  redis.call('HDEL', page, field)
  redis.call('LREM', prefix .. 'u:' .. user, 1, sequence)
  held = held - 1
end

local function add(user, item, action, event)
  events = events + 1
  held = held + 1
  local page, field = place(events)
  redis.call('HSET', page, field, event)
  redis.call('RPUSH', prefix .. 'u:' .. user, events)
  count(item, action, 1)
end

local function retract(user, item, action, identity)
  for _, text in ipairs(redis.call('LRANGE', prefix .. 'u:' .. user, 0, -1)) do
    local sequence = tonumber(text)
    local page, field = place(sequence)
    local event = redis.call('HGET', page, field)
    if event and string.sub(event, 2, 26) == identity then
      drop(sequence, page, field, user)
      break
    end
  end
  count(item, action, -1)
end

local function forget(user)
  local index = prefix .. 'u:' .. user
  for _, text in ipairs(redis.call('LRANGE', index, 0, -1)) do
    held = held - redis.call('HDEL', place(tonumber(text)))
  end
  redis.call('DEL', index)
  deletions = deletions + 1
end

local function take_in(partition, number, payload)
  local taken = redis.call('HGET', prefix .. 'a', partition)
  if taken and tonumber(taken) >= tonumber(number) then return end
  redis.call('HSET', prefix .. 'a', partition, number)
  local kind, user = string.sub(payload, 1, 1), string.sub(payload, 2, 17)
  local item, action = string.sub(payload, 18, 33), string.sub(payload, 34, 34)
  local rest = string.sub(payload, 35)
  if kind == '+' then add(user, item, action, rest)
  elseif kind == '-' then retract(user, item, action, rest)
  else forget(user) end
end

local function change_item(item)
  items = items + 1
  redis.call('ZADD', prefix .. 'items', items, item)
  return '1'
end

local function put(item, record)
  if redis.call('GET', prefix .. 'i:' .. item) == record then return '0' end
  redis.call('SET', prefix .. 'i:' .. item, record)
  return change_item(item)
end

local function delete(item)
  if redis.call('DEL', prefix .. 'i:' .. item) == 0 then return '0' end
  redis.call('DEL', prefix .. 'c:' .. item)
  return change_item(item)
end

-- Another server writes than before, after a failover or a restart: numbers that were given out may
-- be lost, and would stand for other changes. The store is another one from here on.
local before = redis.call('HGET', numbers, 'server')
local lost = items < tonumber(ARGV[2]) or events < tonumber(ARGV[3])
if lost or (before and before ~= server) then
  redis.call('HSET', numbers, 'store', ARGV[4])
end

local limit, source = tonumber(ARGV[1]), ARGV[5]
local positions = prefix .. 'p'
local agreed = source == '' or (redis.call('HGET', positions, source) or '') == ARGV[6]
local changed, at = {}, 8
while at <= #ARGV do
  local kind = ARGV[at]
  if kind == 'e' then
    take_in(ARGV[at + 1], ARGV[at + 2], ARGV[at + 3])
    at = at + 4
  elseif kind == 'u' then
    if agreed then changed[#changed + 1] = put(ARGV[at + 1], ARGV[at + 2]) end
    at = at + 3
  else
    if agreed then changed[#changed + 1] = delete(ARGV[at + 1]) end
    at = at + 2
  end
end
if agreed and source ~= '' then redis.call('HSET', positions, source, ARGV[7]) end

-- So many at the most: the server answers nobody meanwhile.
local drops = 0
while held > limit and drops < 5000 do
  drops = drops + 1
  local page, field = place(first)
  local oldest = redis.call('HGET', page, field)
  if oldest then
    local user = string.gsub(string.sub(oldest, 2, 9), '.', function(byte)
      return string.format('%02x', string.byte(byte))
    end)
    drop(first, page, field, user)
    dropped = first
  end
  first = first + 1
end
redis.call('HSET', numbers, 'items', items, 'events', events, 'dropped', dropped, 'first', first,
  'held', held, 'deletions', deletions, 'server', server)
return { agreed and 1 or 0, items, events, deletions, table.concat(changed) }
