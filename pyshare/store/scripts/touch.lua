-- Start the time to live anew.
-- ARGV: 1 epoch; 2 time to live
local version, why = find(ARGV[1])
if version == nil then
  return {why}
end
keep(tonumber(ARGV[2]))
return {'ok'}
