-- Writes live states of trips of one partition's owner, each only over an older version.
--
-- KEYS  1 fences: see keys.ts   2 drops: trip ids by the end of live access   3 this writer's mark
--       4… trips, hashes of live state and of the trip itself
-- ARGV  1 partition   2 epoch   3 expiry of the keys, ms   4 now, ms   5 number for the mark
--       6… per trip: id, generation, sequence, index, version of the trip itself, end of live access or 0, live state,
--       the trip itself or '' where the writer believes it stored
-- Returns { 1 when refused, else 0; the mark as it was; the numbers from 1 of those of which the trip itself is needed }.

local STRIDE = 8
local ttl, now = tonumber(ARGV[3]), tonumber(ARGV[4])
local mark = redis.call('SET', KEYS[3], ARGV[5], 'PX', ARGV[3], 'GET')

local newest = redis.call('HGET', KEYS[1], ARGV[1])
if newest and tonumber(ARGV[2]) < tonumber(newest) then return { 1, mark, {} } end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('HSETNX', KEYS[1], 'since', ARGV[4])
redis.call('PEXPIRE', KEYS[1], ttl)

local function isNewer(at, stored)
  if not stored[1] then return true end
  for part = 1, 3 do
    local given, known = tonumber(ARGV[at + part]), tonumber(stored[part])
    if given ~= known then return given > known end
  end
  return false
end

local needed = {}
for i = 1, #KEYS - 3 do
  local at = 6 + (i - 1) * STRIDE
  local key, id, drop = KEYS[3 + i], ARGV[at], tonumber(ARGV[at + 5])
  local stored = redis.call('HMGET', key, 'generation', 'sequence', 'index', 'tripVersion')
  if isNewer(at, stored) then
    if ARGV[at + 7] == '' and stored[4] ~= ARGV[at + 4] then
      needed[#needed + 1] = i
    else
      redis.call('HSET', key, 'generation', ARGV[at + 1], 'sequence', ARGV[at + 2], 'index', ARGV[at + 3],
        'tripVersion', ARGV[at + 4], 'live', ARGV[at + 6])
      if ARGV[at + 7] ~= '' then redis.call('HSET', key, 'trip', ARGV[at + 7]) end
      if drop > 0 then
        redis.call('ZADD', KEYS[2], drop, id)
        redis.call('PEXPIRE', key, math.max(1, math.min(ttl, drop - now)))
      else
        redis.call('ZREM', KEYS[2], id)
        redis.call('PEXPIRE', key, ttl)
      end
    end
  end
end
redis.call('PEXPIRE', KEYS[2], ttl)
return { 0, mark, needed }
