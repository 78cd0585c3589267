-- Checks the key now: a new value of the annotation asks for it.
local os = require("os")
if obj.metadata.annotations == nil then
  obj.metadata.annotations = {}
end
obj.metadata.annotations["connector-operator.io/reconcile-at"] = os.date("!%Y-%m-%dT%XZ")
return obj
