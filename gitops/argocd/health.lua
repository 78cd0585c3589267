-- How is a ConnectorCredential? For Argo CD, which otherwise counts an unknown kind as healthy.
-- Degraded fails a running sync: only what a person has to mend, never a Secret that may arrive in the same wave.
local hs = {status = "Progressing", message = "Waiting for the first check"}

local spec = obj.spec or {}
local status = obj.status or {}
local conditions = {}
for _, condition in ipairs(status.conditions or {}) do
  conditions[condition.type] = condition
end
local ready = conditions.Ready

if status.observedGeneration ~= obj.metadata.generation then
  if status.observedGeneration ~= nil and status.observedGeneration > 0 then
    hs.message = "Waiting for the operator to see the changed spec"
  end
  return hs
end

if spec.suspend == true then
  hs.status = "Suspended"
  hs.message = "Suspended: no checks, no writes"
  return hs
end

if conditions.Stalled ~= nil and conditions.Stalled.status == "True" then
  hs.status = "Degraded"
  hs.message = conditions.Stalled.reason .. ": " .. conditions.Stalled.message
  return hs
end

if ready == nil then
  return hs
end

hs.message = ready.reason .. ": " .. ready.message
if ready.status == "True" then
  hs.status = "Healthy"
  for _, advice in ipairs({"Expiring", "RotationDue", "OverPrivileged"}) do
    local condition = conditions[advice]
    if condition ~= nil and condition.status == "True" then
      hs.message = condition.reason .. ": " .. condition.message
      break
    end
  end
end
return hs
