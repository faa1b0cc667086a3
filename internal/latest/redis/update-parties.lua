-- Writes a flush of party positions of one partition's owner, and forgets removed parties. All in one slot, so atomic:
-- a party that moves leaves its old cell in the same step.
--
-- KEYS  1 fences: partition → newest epoch    2 parties: key → record    3 seen: key by receipt
--       4 cells: occupied cells by number     5 gone: removed keys by time of removal    6 this writer's mark
-- ARGV  1 key of a cell but for its number    2 partition   3 epoch   4 expiry of the keys, ms   5 now, ms
--       6 number for the mark   7 how long a tombstone counts, ms
--       8 records, each a 16-bit length and so many bytes   9… keys of removed parties
-- A record begins with six doubles (session epoch, seq, cell, longitude, latitude, receipt); a byte at 73 tells the
-- length of the party's key, which follows. A tombstone has cell -1 and is four doubles, the last the time of removal.
-- Returns { 1 when refused, else 0; the mark as it was }.

local cellPrefix, ttl, now = ARGV[1], ARGV[4], tonumber(ARGV[5])
local mark = redis.call('SET', KEYS[6], ARGV[6], 'PX', ttl, 'GET')

local newest = redis.call('HGET', KEYS[1], ARGV[2])
local epoch = tonumber(ARGV[3])
if newest and epoch < tonumber(newest) then return { 1, mark } end
redis.call('HSET', KEYS[1], ARGV[2], ARGV[3])
redis.call('PEXPIRE', KEYS[1], ttl)

local function leave(cell, key)
  local name = cellPrefix .. string.format('%.0f', cell)
  redis.call('ZREM', name, key)
  if redis.call('EXISTS', name) == 0 then redis.call('ZREM', KEYS[4], string.format('%.0f', cell)) end
end

local keys, records, heads = {}, {}, {}
local blob, at, count = ARGV[8], 1, 0
while at <= #blob do
  local length = struct.unpack('<I2', blob, at)
  local record = string.sub(blob, at + 2, at + 1 + length)
  count = count + 1
  records[count] = record
  keys[count] = string.sub(record, 74, 73 + string.byte(record, 73))
  at = at + 2 + length
end

if count > 0 then
  local stored = redis.call('HMGET', KEYS[2], unpack(keys))
  local written, seen, places, entered = {}, {}, {}, {}
  for i = 1, count do
    local key, record, old = keys[i], records[i], stored[i]
    local session, seq, cell, lon, lat, received = struct.unpack('<dddddd', record)
    local take, from = true, -1
    if old then
      local oldSession, oldSeq, oldCell = struct.unpack('<ddd', old)
      from = oldCell
      if session < oldSession or (session == oldSession and seq < oldSeq) then take = false end
      if oldCell < 0 then
        -- A tombstone: what is no newer than the removed one was on its way for long.
        if session == oldSession and seq == oldSeq then take = false end
        if now - struct.unpack('<d', old, 25) >= tonumber(ARGV[7]) then take = true end
        if take then redis.call('ZREM', KEYS[5], key) end
      end
    end
    if take then
      local place = places[cell]
      if not place then
        place = { cellPrefix .. string.format('%.0f', cell) }
        places[cell] = place
      end
      local n = #place
      -- GEO knows no place nearer to a pole; the record has the true one.
      if lat > 85.05 then lat = 85.05 elseif lat < -85.05 then lat = -85.05 end
      place[n + 1], place[n + 2], place[n + 3] = lon, lat, key
      if from ~= cell then
        if from >= 0 then leave(from, key) end
        entered[#entered + 1] = cell
        entered[#entered + 1] = string.format('%.0f', cell)
      end
      written[#written + 1], seen[#seen + 1] = key, received
      written[#written + 1], seen[#seen + 1] = record, key
    end
  end
  for _, place in pairs(places) do
    redis.call('GEOADD', unpack(place))
    redis.call('PEXPIRE', place[1], ttl)
  end
  if #entered > 0 then redis.call('ZADD', KEYS[4], unpack(entered)) end
  if #written > 0 then
    redis.call('HSET', KEYS[2], unpack(written))
    redis.call('ZADD', KEYS[3], unpack(seen))
  end
end

for i = 9, #ARGV do
  local key = ARGV[i]
  local old = redis.call('HGET', KEYS[2], key)
  if old then
    local session, seq, cell = struct.unpack('<ddd', old)
    if cell >= 0 then
      leave(cell, key)
      redis.call('ZREM', KEYS[3], key)
      redis.call('HSET', KEYS[2], key, struct.pack('<dddd', session, seq, -1, now))
      redis.call('ZADD', KEYS[5], now, key)
    end
  end
end

for i = 2, 5 do redis.call('PEXPIRE', KEYS[i], ttl) end
return { 0, mark }
