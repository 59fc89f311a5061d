-- Answer the version and the updates after one.
-- ARGV: 1 epoch; 2 the version
local version, why = find(ARGV[1])
if version == nil then
  return {why}
end
return {'ok', version, log_after(tonumber(ARGV[2]), version)}
