-- Answer the whole codespace: its fields, its log, the last pushes. Make or mark it if it is new here.
-- ARGV: 1 whether to make it, '1' or '0'; 2 an epoch if it gets one; 3 its time to live; 4... its fields if it is made
local kind = redis.call('TYPE', KEYS[1]).ok
if kind ~= 'hash' and kind ~= 'none' then
  return {'foreign', kind}
elseif kind == 'none' and ARGV[1] == '0' then
  return {'missing'}
elseif kind == 'none' then
  redis.call('HSET', KEYS[1], unpack(ARGV, 4))
end
if redis.call('HSETNX', KEYS[1], 'epoch', ARGV[2]) == 1 then
  -- As the API left it: whatever else is there belongs to another life of this id.
  redis.call('HSET', KEYS[1], 'version', '0', 'code_version', '0')
  redis.call('DEL', KEYS[2], KEYS[3])
end
keep(tonumber(ARGV[3]))
local updates = {}
for index, entry in ipairs(redis.call('XRANGE', KEYS[2], '-', '+')) do
  updates[index] = entry[2][2]
end
return {'ok', redis.call('HGETALL', KEYS[1]), updates, redis.call('HGETALL', KEYS[3])}
