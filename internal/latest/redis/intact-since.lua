-- Tells since when the shard has lost nothing. One that knows of no such time was found empty: it knows from now on. Whoever
-- writes does the same, so that it is known from the first read or write after the loss.
--
-- KEYS  1 fences: see keys.ts
-- ARGV  1 now, ms   2 expiry of the key, ms
-- Returns that time, ms.

redis.call('HSETNX', KEYS[1], 'since', ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return redis.call('HGET', KEYS[1], 'since')
