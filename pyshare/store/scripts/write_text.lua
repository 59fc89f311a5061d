-- Keep a text, unless that of a later version is kept already.
-- ARGV: 1 epoch; 2 its version; 3 the text; 4 updates and 5 bytes that the log keeps
local version, text_version, _, log_bytes = find(ARGV[1])
if version == nil then
  return {text_version}
end
if tonumber(ARGV[2]) >= text_version then
  local bytes = trim_log(tonumber(ARGV[2]), tonumber(ARGV[4]), measure_log(log_bytes), tonumber(ARGV[5]))
  redis.call('HSET', KEYS[1], 'code_version', ARGV[2], 'code', ARGV[3],
    'log_bytes', string.format('%.0f', bytes), 'log_bytes_of', version)
end
return {'ok'}
