-- Keep a text, unless that of a later version is kept already.
-- ARGV: 1 epoch; 2 its version; 3 the text; 4 updates that the log keeps
local version, text_version = find(ARGV[1])
if version == nil then
  return {text_version}
end
if tonumber(ARGV[2]) >= text_version then
  redis.call('HSET', KEYS[1], 'code_version', ARGV[2], 'code', ARGV[3])
  trim_log(version, tonumber(ARGV[2]), tonumber(ARGV[4]))
end
return {'ok'}
