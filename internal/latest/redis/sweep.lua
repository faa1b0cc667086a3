-- Drops a bounded number of silent parties, trips whose live access is over, and tombstones that no longer count.
--
-- KEYS  1 parties: key → record   2 seen: key by receipt   3 cells: occupied cells by number
--       4 gone: removed keys by time of removal   5 drops: trip ids by the end of live access
-- ARGV  1 key of a cell but for its number   2 key of a trip but for its id   3 parties received before this go, ms
--       4 trips with an end up to this go, ms   5 tombstones up to this go, ms   6 how many of each at most
-- Returns { parties, trips, tombstones }: how many went.

local silent = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', '(' .. ARGV[3], 'LIMIT', 0, ARGV[6])
for _, key in ipairs(silent) do
  local record = redis.call('HGET', KEYS[1], key)
  if record then
    local _, _, cell = struct.unpack('<ddd', record)
    local number = string.format('%.0f', cell)
    redis.call('ZREM', ARGV[1] .. number, key)
    if redis.call('EXISTS', ARGV[1] .. number) == 0 then redis.call('ZREM', KEYS[3], number) end
    redis.call('HDEL', KEYS[1], key)
  end
  redis.call('ZREM', KEYS[2], key)
end

local over = redis.call('ZRANGEBYSCORE', KEYS[5], '-inf', ARGV[4], 'LIMIT', 0, ARGV[6])
for _, id in ipairs(over) do
  redis.call('DEL', ARGV[2] .. id)
  redis.call('ZREM', KEYS[5], id)
end

local forgotten = redis.call('ZRANGEBYSCORE', KEYS[4], '-inf', ARGV[5], 'LIMIT', 0, ARGV[6])
for _, key in ipairs(forgotten) do
  redis.call('HDEL', KEYS[1], key)
  redis.call('ZREM', KEYS[4], key)
end
return { #silent, #over, #forgotten }
