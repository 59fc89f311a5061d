-- Put back what was lost of a codespace, from what an instance holds of it.
-- ARGV: 1 epoch; 2 version held; 3 time to live; 4 an epoch to go on under if the logs differ; 5 the text held;
--       6 what to publish if something has changed; 7 number of updates held, the last ones;
--       8 twice the number of other fields; then the updates; then the fields with their values; then sender and
--       number of each one's last push
local epoch, held, count, fields = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[7]), tonumber(ARGV[8])

-- Place in ARGV of the update that made a version; below 9 if it is not held.
local function place(version)
  return 8 + count - (held - version)
end

local function replace(under)
  redis.call('DEL', KEYS[2], KEYS[3])
  for index = 9 + count, 8 + count + fields, 2 do
    redis.call('HSETNX', KEYS[1], ARGV[index], ARGV[index + 1])
  end
  local _, bytes = extend_log(held - count, 9, count)
  redis.call('HSET', KEYS[1], 'epoch', under, 'version', held, 'code_version', held, 'code', ARGV[5],
    'log_bytes', string.format('%.0f', bytes))
  for index = 9 + count + fields, #ARGV, 2 do
    redis.call('HSET', KEYS[3], ARGV[index], ARGV[index + 1])
  end
  keep(tonumber(ARGV[3]))
  redis.call('PUBLISH', KEYS[1], ARGV[6])
end

local kind = redis.call('TYPE', KEYS[1]).ok
if kind ~= 'hash' and kind ~= 'none' then
  return {'replaced'}
end
local stored = redis.call('HMGET', KEYS[1], 'epoch', 'version', 'log_bytes')
local version = tonumber(stored[2] or '0')
if not stored[1] or version == 0 then
  replace(epoch)
  return {'ok', held, {}}
elseif stored[1] ~= epoch then
  return {'replaced'}
end
local both = math.min(version, held)
local compared = false
for _, entry in ipairs(redis.call('XRANGE', KEYS[2], entry_id(math.max(1, held - count + 1)), entry_id(both))) do
  local at = tonumber(string.match(entry[1], '^%d+'))
  compared = compared or at == both
  if entry[2][2] ~= ARGV[place(at)] then
    -- The logs differ: what is stored stays, and nobody takes it for what it was.
    redis.call('HSET', KEYS[1], 'epoch', ARGV[4])
    redis.call('PUBLISH', KEYS[1], ARGV[6])
    return {'replaced'}
  end
end
if not compared and version < held then
  -- Whether they differ cannot be told; the longer one stays.
  replace(ARGV[4])
  return {'replaced'}
end
if version < held then
  local bytes = measure_log(stored[3])
  local _, added = extend_log(version, place(version + 1), held - version)
  redis.call('HSET', KEYS[1], 'version', held, 'code_version', held, 'code', ARGV[5],
    'log_bytes', string.format('%.0f', bytes + added))
  for index = 9 + count + fields, #ARGV, 2 do
    redis.call('HSET', KEYS[3], ARGV[index], ARGV[index + 1])
  end
  keep(tonumber(ARGV[3]))
  -- Whoever is behind has not heard of what came back.
  redis.call('PUBLISH', KEYS[1], ARGV[6])
end
return {'ok', math.max(version, held), log_after(held, version)}
