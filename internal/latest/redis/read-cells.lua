-- All records of some cells.
--
-- KEYS  1 parties: key → record
-- ARGV  1 key of a cell but for its number   2… cells
-- Returns the records, in no order.

local records = {}
for i = 2, #ARGV do
  local keys = redis.call('ZRANGE', ARGV[1] .. ARGV[i], 0, -1)
  for from = 1, #keys, 1000 do
    local found = redis.call('HMGET', KEYS[1], unpack(keys, from, math.min(from + 999, #keys)))
    for _, record in ipairs(found) do records[#records + 1] = record end
  end
end
return records
