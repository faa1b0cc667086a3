-- What a flush costs that compares nothing: the same updates into the same layout, GEO per cell and one hash of records.
-- No fence, no newer or older, nobody leaves a cell, nothing expires.
--
-- KEYS  1 records    ARGV  1 key of a cell but for its number   2 updates as update-parties.lua takes them

local call, unpackStruct, sub, byte = redis.call, struct.unpack, string.sub, string.byte
local blob, at, length = ARGV[2], 1, 0
local size = #blob
local written = {}
while at <= size do
  local recordLength, scoreLength, cellLength = unpackStruct('<I2BB', blob, at)
  local cellAt = at + 4 + scoreLength
  local from = cellAt + cellLength
  local key = sub(blob, from + 81, from + 80 + byte(blob, from + 80))
  call('ZADD', ARGV[1] .. sub(blob, cellAt, from - 1), sub(blob, at + 4, cellAt - 1), key)
  at = from + recordLength
  written[length + 1], written[length + 2] = key, sub(blob, from, at - 1)
  length = length + 2
end
return call('HSET', KEYS[1], unpack(written))
