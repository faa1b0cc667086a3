-- What a flush costs that compares nothing: the same parties in the same layout, GEO per cell and one hash of records of as
-- many bytes. No fence, no newer or older, nobody leaves a cell, nothing expires.
--
-- KEYS  1 records
-- ARGV  1 key of a cell but for its number   2 updates: five lengths in 16 bits each (key, cell, longitude, latitude, record),
--       then these

local call, unpackStruct, sub = redis.call, struct.unpack, string.sub
local blob, at, length = ARGV[2], 1, 0
local size = #blob
local written = {}
while at <= size do
  local keyLength, cellLength, lonLength, latLength, recordLength = unpackStruct('<I2I2I2I2I2', blob, at)
  local cellAt = at + 10 + keyLength
  local lonAt = cellAt + cellLength
  local latAt = lonAt + lonLength
  local recordAt = latAt + latLength
  local key = sub(blob, at + 10, cellAt - 1)
  call('GEOADD', ARGV[1] .. sub(blob, cellAt, lonAt - 1), sub(blob, lonAt, latAt - 1), sub(blob, latAt, recordAt - 1), key)
  at = recordAt + recordLength
  written[length + 1], written[length + 2] = key, sub(blob, recordAt, at - 1)
  length = length + 2
end
return call('HSET', KEYS[1], unpack(written))
