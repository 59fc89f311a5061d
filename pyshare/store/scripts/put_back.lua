-- Put back what was lost of a codespace, from what an instance holds of it.
-- ARGV: 1 epoch; 2 version held; 3 time to live; 4 an epoch to go on under if the logs differ; 5 the text held;
--       6 what to publish if something has changed; 7 number of updates held, the last ones;
--       8 twice the number of other fields; 9 the epochs that the held one continues, the newest first, with blanks
--       between; then the updates; then the fields with their values; then sender and number of each one's last push
local epoch, held, count, fields = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[7]), tonumber(ARGV[8])
-- Where the updates begin, and the fields, and the last pushes.
local UPDATES = 10
local FIELDS, SEQS = UPDATES + count, UPDATES + count + fields
-- Epochs that are remembered.
local EPOCHS = 8

-- Place in ARGV of the update that made a version; below UPDATES if it is not held.
local function place(version)
  return FIELDS - 1 - (held - version)
end

-- Have the codespace go on under an epoch, which continues some, each of them a list.
local function go_on(under, ...)
  local known, names = {[under] = true}, {}
  for _, list in ipairs({...}) do
    for name in string.gmatch(list, '%S+') do
      if not known[name] and #names < EPOCHS then
        known[name], names[#names + 1] = true, name
      end
    end
  end
  redis.call('HSET', KEYS[1], 'epoch', under, 'before', table.concat(names, ' '))
end

-- Put the last pushes that are held in their place, by HSET, or by HSETNX where later ones may be there.
local function write_seqs(command)
  for index = SEQS, #ARGV, 2 do
    redis.call(command, KEYS[3], ARGV[index], ARGV[index + 1])
  end
end

-- Put the text that is held in its place, beside a log of a version and of so many bytes, and the other fields.
local function write_text(version, bytes)
  for index = FIELDS, SEQS - 1, 2 do
    redis.call('HSETNX', KEYS[1], ARGV[index], ARGV[index + 1])
  end
  redis.call('HSET', KEYS[1], 'version', version, 'code_version', held, 'code', ARGV[5],
    'log_bytes', string.format('%.0f', bytes), 'log_bytes_of', version)
  keep(tonumber(ARGV[3]))
end

-- Put all that is held in the place of whatever is there.
local function replace()
  redis.call('DEL', KEYS[2], KEYS[3])
  local _, bytes = extend_log(held - count, UPDATES, count)
  write_seqs('HSET')
  write_text(held, bytes)
end

-- Whether the log has what is held, up to a version; and whether it has the update that made that version.
local function compare(version)
  local from, reached = math.max(1, held - count + 1), false
  repeat
    local entries = redis.call('XRANGE', KEYS[2], entry_id(from), entry_id(version), 'COUNT', ENTRIES)
    for _, entry in ipairs(entries) do
      local at = version_of(entry)
      if entry[2][2] ~= ARGV[place(at)] then
        return false
      end
      from, reached = at + 1, at == version
    end
  until #entries < ENTRIES
  return true, reached
end

local kind = redis.call('TYPE', KEYS[1]).ok
if kind ~= 'hash' and kind ~= 'none' then
  return {'replaced'}
end
local stored = redis.call('HMGET', KEYS[1], 'epoch', 'version', 'log_bytes', 'log_bytes_of', 'before', 'code_version')
local version, before = tonumber(stored[2] or '0'), stored[5] or ''
if not stored[1] then
  -- The server may have evicted the codespace and kept its log, which may go on from what is held.
  local newest = redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)[1]
  local reached = newest and version_of(newest) or 0
  local same, compared = false, false
  if reached > held then
    same, compared = compare(held)
  end
  if same and compared then
    write_seqs('HSETNX')
    write_text(reached, measure_log(nil))
    go_on(epoch, ARGV[9])
    redis.call('PUBLISH', KEYS[1], ARGV[6])
    return {'ok', reached, log_after(held, reached)}
  end
end
if not stored[1] or version == 0 then
  replace()
  go_on(epoch, stored[1] or '', ARGV[9])
  if held > 0 or stored[1] ~= epoch then
    redis.call('PUBLISH', KEYS[1], ARGV[6])
  end
  return {'ok', held, {}}
elseif stored[1] ~= epoch and not string.find(' ' .. ARGV[9] .. ' ', ' ' .. stored[1] .. ' ', 1, true) then
  return {'replaced'}
end
-- What is stored is of this life, perhaps of a time before the held epoch began.
local same, compared = compare(math.min(version, held))
if same and not compared and version == held and tonumber(stored[6]) == version then
  -- The log was evicted; the text tells as well whether it is what is held.
  same = redis.call('HMGET', KEYS[1], 'code')[1] == ARGV[5]
end
if not same then
  -- The logs differ: what is stored stays, and nobody takes it for what it was.
  go_on(ARGV[4], epoch, stored[1], before, ARGV[9])
  keep(tonumber(ARGV[3]))
  redis.call('PUBLISH', KEYS[1], ARGV[6])
  return {'replaced'}
elseif not compared and version < held then
  -- Whether they differ cannot be told; the longer one stays.
  replace()
  go_on(ARGV[4], epoch, stored[1], before, ARGV[9])
  redis.call('PUBLISH', KEYS[1], ARGV[6])
  return {'replaced'}
end
if version < held then
  local bytes = measure_log(known_sum(stored[3], stored[4], version))
  local _, added = extend_log(version, place(version + 1), held - version)
  write_seqs('HSET')
  write_text(held, bytes + added)
elseif version == held and redis.call('XLEN', KEYS[2]) < count then
  -- The log, or its beginning, was evicted.
  redis.call('DEL', KEYS[2])
  local _, bytes = extend_log(held - count, UPDATES, count)
  write_text(held, bytes)
end
if version <= held and redis.call('HLEN', KEYS[3]) == 0 then
  write_seqs('HSET')
end
keep(tonumber(ARGV[3]))
if stored[1] ~= epoch then
  go_on(epoch, stored[1], ARGV[9])
end
if version < held or stored[1] ~= epoch then
  -- Those who are behind have not heard of what came back.
  redis.call('PUBLISH', KEYS[1], ARGV[6])
end
return {'ok', math.max(version, held), log_after(held, version)}
