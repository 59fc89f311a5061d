-- What every script begins with.
-- KEYS: 1 the codespace, a hash; 2 its log, a stream; 3 the last push of each sender, a hash.

-- The log's id of a version; %.0f since Lua would write large numbers with an exponent.
local function entry_id(version)
  return string.format('%.0f-0', version)
end

-- Let the codespace live for so many milliseconds from now. Once a second is often enough. The log lives a
-- little longer, so that the text is never there without it. Where nothing can be written, a script that only reads
-- goes on: it passes `lenient`.
local function keep(milliseconds, lenient)
  local left = redis.call('PTTL', KEYS[1])
  -- A log that began just now has no end of its own yet.
  local endless = redis.call('PTTL', KEYS[2]) == -1 or redis.call('PTTL', KEYS[3]) == -1
  if endless or left > milliseconds or left < milliseconds - math.min(1000, milliseconds / 20) then
    if lenient then
      local answer = redis.pcall('PEXPIRE', KEYS[1], milliseconds)
      local refusal = type(answer) == 'table' and answer.err
      if refusal and (string.find(refusal, 'MISCONF') or string.find(refusal, 'NOREPLICAS')) then
        return
      end
    end
    redis.call('PEXPIRE', KEYS[1], milliseconds)
    redis.call('PEXPIRE', KEYS[2], milliseconds + 60000)
    redis.call('PEXPIRE', KEYS[3], milliseconds + 60000)
  end
end

-- Entries that are read at once from a log, and bytes above which an answer has no further one.
local ENTRIES, PAGE_BYTES = 64, 1048576
-- Bytes that an entry takes beside its update, about.
local ENTRY_BYTES = 64

-- The version that an entry of the log made.
local function version_of(entry)
  return tonumber(string.match(entry[1], '^%d+'))
end

-- The bytes of all entries of the log: as they are summed up in the hash, if the sum is known.
local function measure_log(sum)
  if sum then
    return tonumber(sum)
  end
  local bytes, from = 0, '-'
  repeat
    local entries = redis.call('XRANGE', KEYS[2], from, '+', 'COUNT', ENTRIES)
    for _, entry in ipairs(entries) do
      bytes = bytes + #entry[2][2] + ENTRY_BYTES
      from = '(' .. entry[1]
    end
  until #entries < ENTRIES
  return bytes
end

-- The sum of the log's bytes, as it is stored, or nil if it is not that of the stored version: servers that keep no
-- sum have written since.
local function known_sum(sum, sum_version, version)
  return sum_version and tonumber(sum_version) == tonumber(version or '0') and sum or nil
end

-- How the codespace stands: its version, its text's, whose turn it is and the sum of its log's bytes, if that is
-- known; or nil and why it is not that of the epoch. One whose key has another type is none.
local function find(epoch)
  local found = redis.pcall('HMGET', KEYS[1], 'epoch', 'version', 'code_version', 'turn', 'log_bytes', 'log_bytes_of')
  if found.err then
    return nil, 'replaced'
  elseif found[1] ~= epoch then
    if found[1] then
      return nil, 'replaced'
    end
    return nil, redis.call('EXISTS', KEYS[1]) == 1 and 'unmarked' or 'gone'
  end
  return tonumber(found[2]), tonumber(found[3]), found[4], known_sum(found[5], found[6], found[2])
end

-- The first updates after a version, or false if the log no longer reaches back to it. One that asks for the rest
-- sees by their number that these are not all.
local function log_after(after, version)
  local updates, bytes = {}, 0
  while after < version and bytes < PAGE_BYTES do
    local entries = redis.call('XRANGE', KEYS[2], entry_id(after + 1), '+', 'COUNT', ENTRIES)
    if #entries == 0 or version_of(entries[1]) ~= after + 1 then
      return false
    end
    for _, entry in ipairs(entries) do
      updates[#updates + 1] = entry[2][2]
      bytes = bytes + #entry[2][2] + ENTRY_BYTES
      after = after + 1
      if bytes >= PAGE_BYTES then
        break
      end
    end
  end
  return updates
end

-- The last updates before a version that is not among them, the oldest first.
local function log_before(version)
  local found, bytes, to = {}, 0, entry_id(version - 1)
  repeat
    local entries = redis.call('XREVRANGE', KEYS[2], to, '-', 'COUNT', ENTRIES)
    for _, entry in ipairs(entries) do
      if bytes < PAGE_BYTES then
        found[#found + 1] = entry[2][2]
        bytes = bytes + #entry[2][2] + ENTRY_BYTES
      end
      to = '(' .. entry[1]
    end
  until #entries < ENTRIES or bytes >= PAGE_BYTES
  local updates = {}
  for index = #found, 1, -1 do
    updates[#updates + 1] = found[index]
  end
  return updates
end

-- Put so many updates of ARGV, from a place on, at the log's end; return the version that the last one makes, and
-- their bytes.
local function extend_log(version, first, count)
  local bytes = 0
  for index = first, first + count - 1 do
    version = version + 1
    redis.call('XADD', KEYS[2], entry_id(version), 'u', ARGV[index])
    bytes = bytes + #ARGV[index] + ENTRY_BYTES
  end
  return version, bytes
end

-- Forget the log's beginning above a number of updates or of bytes, up to a version at most; return the bytes left.
-- What has to stay is behind that version: what the text has yet to take in.
local function trim_log(last, most_updates, bytes, most_bytes)
  local entries = redis.call('XLEN', KEYS[2])
  local forgotten, from = nil, '-'
  while entries > most_updates or bytes > most_bytes do
    local oldest = redis.call('XRANGE', KEYS[2], from, '+', 'COUNT', ENTRIES)
    for _, entry in ipairs(oldest) do
      if (entries <= most_updates and bytes <= most_bytes) or version_of(entry) > last then
        break
      end
      forgotten, from = version_of(entry), '(' .. entry[1]
      entries, bytes = entries - 1, bytes - #entry[2][2] - ENTRY_BYTES
    end
    if #oldest == 0 or forgotten ~= version_of(oldest[#oldest]) then
      break
    end
  end
  if forgotten then
    redis.call('XTRIM', KEYS[2], 'MINID', entry_id(forgotten + 1))
  end
  return bytes
end
