-- Drops a bounded number of silent parties, trips whose live access is over, and tombstones that no longer count.
--
-- KEYS  1 parties: key → record   2 seen: key by a receipt, the last or one before   3 cells: occupied cells by number
--       4 gone: removed keys by time of removal   5 drops: trip ids by the end of live access
-- ARGV  1 key of a cell but for its number   2 key of a trip but for its id   3 parties received before this go, ms
--       4 trips with an end up to this go, ms   5 tombstones up to this go, ms   6 how many of each are looked at, at most
-- Returns { how many parties went, how many trips, 1 when there may be more }.

local most, parties = tonumber(ARGV[6]), 0

-- An update does not always tell `seen`: whoever was heard of later than it says is put where he belongs.
local silent = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', '(' .. ARGV[3], 'LIMIT', 0, most)
for _, key in ipairs(silent) do
  local record = redis.call('HGET', KEYS[1], key)
  local cell, received = -1, nil
  if record then cell = struct.unpack('<d', record, 17) end
  if cell >= 0 then received = struct.unpack('<d', record, 33) end
  if received and received >= tonumber(ARGV[3]) then
    redis.call('ZADD', KEYS[2], received, key)
  else
    redis.call('ZREM', KEYS[2], key)
    if received then
      local number = string.format('%.0f', cell)
      redis.call('ZREM', ARGV[1] .. number, key)
      if redis.call('EXISTS', ARGV[1] .. number) == 0 then redis.call('ZREM', KEYS[3], number) end
      redis.call('HDEL', KEYS[1], key)
      parties = parties + 1
    end
  end
end

local over = redis.call('ZRANGEBYSCORE', KEYS[5], '-inf', ARGV[4], 'LIMIT', 0, most)
for _, id in ipairs(over) do
  redis.call('DEL', ARGV[2] .. id)
  redis.call('ZREM', KEYS[5], id)
end

local forgotten = redis.call('ZRANGEBYSCORE', KEYS[4], '-inf', ARGV[5], 'LIMIT', 0, most)
for _, key in ipairs(forgotten) do
  redis.call('HDEL', KEYS[1], key)
  redis.call('ZREM', KEYS[4], key)
end

local isMore = #silent == most or #over == most or #forgotten == most
return { parties, #over, isMore and 1 or 0 }
