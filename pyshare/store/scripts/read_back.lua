-- Answer the last updates before a version, the oldest first.
-- ARGV: 1 epoch; 2 the version
local version, why = find(ARGV[1])
if version == nil then
  return {why}
end
return {'ok', version, log_before(tonumber(ARGV[2]))}
