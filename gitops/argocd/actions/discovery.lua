-- What can be done with a ConnectorCredential from Argo CD?
local actions = {}
actions["reconcile"] = {["disabled"] = obj.spec ~= nil and obj.spec.suspend == true}
return actions
