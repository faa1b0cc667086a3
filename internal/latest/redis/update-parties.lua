-- Writes a flush of party positions of one partition's owner, and forgets removed parties. All in one slot, so atomic:
-- a party that moves leaves its old cell in the same step.
--
-- KEYS  1 fences: see keys.ts                 2 parties: key → record    3 seen: key by a receipt, the last or one before
--       4 cells: occupied cells by number     5 gone: removed keys by time of removal    6 this writer's mark
-- ARGV  1 key of a cell but for its number    2 partition   3 epoch   4 expiry of the keys, ms   5 now, ms
--       6 number for the mark   7 how long a tombstone counts, ms   8 how often a cell's expiry is renewed, ms
--       9 the updates, each: length of the record in 16 bits, lengths of two numbers in 8 bits, GEO's score and the cell in
--         digits, the record
--       10… keys of removed parties
-- A record begins with five doubles (session epoch, seq, cell, GEO's score, receipt); a byte at 81 tells the length of
-- the party's key, which follows. A tombstone is five doubles: its cell is -1, the fourth is the time of removal.
-- Returns { 1 when refused, else 0; the mark as it was }.

local call, unpackStruct, sub, byte, format = redis.call, struct.unpack, string.sub, string.byte, string.format
local cellPrefix, ttl, now = ARGV[1], ARGV[4], tonumber(ARGV[5])
local mark = call('SET', KEYS[6], ARGV[6], 'PX', ttl, 'GET')

local newest = call('HGET', KEYS[1], ARGV[2])
if newest and tonumber(ARGV[3]) < tonumber(newest) then return { 1, mark } end
if newest ~= ARGV[3] then
  call('HSET', KEYS[1], ARGV[2], ARGV[3])
  call('HSETNX', KEYS[1], 'since', ARGV[5])
end

local function leave(cell, key)
  local number = format('%.0f', cell)
  call('ZREM', cellPrefix .. number, key)
  if call('EXISTS', cellPrefix .. number) == 0 then call('ZREM', KEYS[4], number) end
end

-- Where each update begins, where its record does, and where that ends.
local blob, at, count = ARGV[9], 1, 0
local size = #blob
local keys, heads, froms, ends = {}, {}, {}, {}
while at <= size do
  local length, scoreLength, cellLength = unpackStruct('<I2BB', blob, at)
  local from = at + 4 + scoreLength + cellLength
  count = count + 1
  heads[count], froms[count] = at, from
  at = from + length
  ends[count] = at - 1
  keys[count] = sub(blob, from + 81, from + 80 + byte(blob, from + 80))
end

if count > 0 then
  local stored = call('HMGET', KEYS[2], unpack(keys))
  local tombstoneMs, renewMs = tonumber(ARGV[7]), tonumber(ARGV[8])
  local written, seen, entered = {}, {}, {}
  local writtenLength, seenLength, enteredLength = 0, 0, 0
  for i = 1, count do
    local key, old, recordAt = keys[i], stored[i], froms[i]
    local session, seq, cell, score, received = unpackStruct('<ddddd', blob, recordAt)
    local take, from, isSamePlace, isSeen, isRenewed = true, -1, false, false, false
    if old then
      local oldSession, oldSeq, oldCell, oldScore, oldReceived = unpackStruct('<ddddd', old)
      local isSame = session == oldSession and seq == oldSeq
      take = session > oldSession or (session == oldSession and seq >= oldSeq)
      if oldCell >= 0 then
        from = oldCell
        isSamePlace = score == oldScore
        isSeen = received >= oldReceived
        isRenewed = received - received % renewMs == oldReceived - oldReceived % renewMs
      else
        -- A tombstone: what is no newer than the removed one was on its way for long.
        take = (take and not isSame) or now - oldScore >= tombstoneMs
        if take then call('ZREM', KEYS[5], key) end
      end
    end
    if take then
      local isMoved = from ~= cell
      if isMoved or not isSamePlace or not isRenewed then
        local scoreAt = heads[i] + 4
        local cellAt = scoreAt + byte(blob, scoreAt - 2)
        local number = sub(blob, cellAt, recordAt - 1)
        local cellKey = cellPrefix .. number
        if isMoved or not isSamePlace then call('ZADD', cellKey, sub(blob, scoreAt, cellAt - 1), key) end
        if isMoved or not isRenewed then call('PEXPIRE', cellKey, ttl) end
        if isMoved then
          if from >= 0 then leave(from, key) end
          entered[enteredLength + 1], entered[enteredLength + 2] = number, number
          enteredLength = enteredLength + 2
        end
      end
      if not isSeen then
        seen[seenLength + 1], seen[seenLength + 2] = received, key
        seenLength = seenLength + 2
      end
      written[writtenLength + 1], written[writtenLength + 2] = key, sub(blob, recordAt, ends[i])
      writtenLength = writtenLength + 2
    end
  end
  -- After all have left: a cell that one left and another entered is occupied.
  if enteredLength > 0 then call('ZADD', KEYS[4], unpack(entered)) end
  if seenLength > 0 then call('ZADD', KEYS[3], unpack(seen)) end
  if writtenLength > 0 then call('HSET', KEYS[2], unpack(written)) end
end

for i = 10, #ARGV do
  local key = ARGV[i]
  local old = call('HGET', KEYS[2], key)
  if old then
    local session, seq, cell = unpackStruct('<ddd', old)
    if cell >= 0 then
      leave(cell, key)
      call('ZREM', KEYS[3], key)
      call('HSET', KEYS[2], key, struct.pack('<ddddd', session, seq, -1, now, 0))
      call('ZADD', KEYS[5], now, key)
    end
  end
end

for i = 1, 5 do call('PEXPIRE', KEYS[i], ttl) end
return { 0, mark }
