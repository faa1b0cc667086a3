-- The records nearest to a point, out of cells given from the nearest on, and some more: places in GEO are coarse, so the
-- caller sorts by the true ones. Looks no further than it must.
--
-- KEYS  1 parties: key → record
-- ARGV  1 key of a cell but for its number   2 longitude   3 latitude   4 radius, m   5 wanted   6 what two distances may
--       be off by, m   7… cells, each with the least distance that anything in it has, m
-- Returns the records, in no order.

local reach, wanted, slack = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local found = {}

local function search(key, ...)
  return redis.call('GEOSEARCH', key, 'FROMLONLAT', ARGV[2], ARGV[3], 'BYRADIUS', string.format('%.3f', reach), 'm',
    'ASC', 'WITHDIST', ...)
end

local function nearer(a, b) return a[2] < b[2] end

for i = 7, #ARGV, 2 do
  if tonumber(ARGV[i + 1]) > reach then break end
  local key = ARGV[1] .. ARGV[i]
  local hits = search(key, 'COUNT', wanted)
  if #hits == wanted then
    -- There may be more, and which of those that GEO can't tell apart are nearer is not known here.
    reach = math.min(reach, hits[wanted][2] + slack)
    hits = search(key)
  end
  if #hits > 0 then
    for _, hit in ipairs(hits) do found[#found + 1] = { hit[1], tonumber(hit[2]) } end
    if #found >= wanted then
      table.sort(found, nearer)
      reach = math.min(reach, found[wanted][2] + slack)
      while found[#found][2] > reach do found[#found] = nil end
    end
  end
end

local records = {}
for from = 1, #found, 1000 do
  local keys = {}
  for i = from, math.min(from + 999, #found) do keys[#keys + 1] = found[i][1] end
  for _, record in ipairs(redis.call('HMGET', KEYS[1], unpack(keys))) do records[#records + 1] = record end
end
return records
