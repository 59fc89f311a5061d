-- What every script begins with.
-- KEYS: 1 the codespace, a hash; 2 its log, a stream; 3 the last push of each sender, a hash.

-- The log's id of a version; %.0f since Lua would write large numbers with an exponent.
local function entry_id(version)
  return string.format('%.0f-0', version)
end

-- Let the codespace live for so many milliseconds from now. Once a second is often enough. The log lives a
-- little longer, so that the text is never there without it.
local function keep(milliseconds)
  local left = redis.call('PTTL', KEYS[1])
  -- A log that began just now has no end of its own yet.
  local endless = redis.call('PTTL', KEYS[2]) == -1 or redis.call('PTTL', KEYS[3]) == -1
  if endless or left > milliseconds or left < milliseconds - math.min(1000, milliseconds / 20) then
    redis.call('PEXPIRE', KEYS[1], milliseconds)
    redis.call('PEXPIRE', KEYS[2], milliseconds + 60000)
    redis.call('PEXPIRE', KEYS[3], milliseconds + 60000)
  end
end

-- How the codespace stands: its version, its text's, and whose turn it is; or nil and why it is not that of the
-- epoch. One whose key has another type is none.
local function find(epoch)
  local found = redis.pcall('HMGET', KEYS[1], 'epoch', 'version', 'code_version', 'turn')
  if found.err then
    return nil, 'replaced'
  elseif found[1] ~= epoch then
    if found[1] then
      return nil, 'replaced'
    end
    return nil, redis.call('EXISTS', KEYS[1]) == 1 and 'unmarked' or 'gone'
  end
  return tonumber(found[2]), tonumber(found[3]), found[4]
end

-- The updates after a version, or false if the log no longer reaches back to it.
local function log_after(after, version)
  if after >= version then
    return {}
  end
  local entries = redis.call('XRANGE', KEYS[2], entry_id(after + 1), '+')
  if #entries == 0 or entries[1][1] ~= entry_id(after + 1) then
    return false
  end
  local updates = {}
  for index, entry in ipairs(entries) do
    updates[index] = entry[2][2]
  end
  return updates
end

-- Put so many updates of ARGV, from a place on, at the log's end; return the version that the last one makes.
local function extend_log(version, first, count)
  for index = first, first + count - 1 do
    version = version + 1
    redis.call('XADD', KEYS[2], entry_id(version), 'u', ARGV[index])
  end
  return version
end

-- Forget the log's beginning above a limit, but nothing that the text has yet to take in.
local function trim_log(version, text_version, limit)
  local oldest = math.min(version - limit, text_version)
  if oldest > 0 then
    redis.call('XTRIM', KEYS[2], 'MINID', '~', entry_id(oldest + 1))
  end
end
