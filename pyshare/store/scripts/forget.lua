-- Forget the log of a codespace that is no more.
if redis.call('EXISTS', KEYS[1]) == 0 then
  redis.call('DEL', KEYS[2], KEYS[3])
end
return {'ok'}
