//! An operator's account whose rights can be taken away: bound in one namespace only, without list and watch on Secrets.

use std::path::PathBuf;

use k8s_openapi::api::authorization::v1::SubjectAccessReview;
use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use kube::Api;
use kube::api::{DeleteParams, PostParams};
use serde_json::{Value, json};

use super::bed::Bed;
use super::stage::{SOON, Stage};

/// Its name.
const ACCOUNT: &str = "limited";
/// The name of the operator's own account, and of its namespace.
const OPERATOR: &str = "connector-operator";

impl Stage {
    /// Makes the account with the Roles `credentials` and `secrets`, both bound. Returns its kubeconfig.
    pub(crate) async fn limited_account(&self) -> PathBuf {
        let account = self.bed.service_account(&self.namespace, ACCOUNT).await.expect("it is made");
        let group = "connector-operator.io";
        let credentials = [
            rule(group, "connectorcredentials", &["get", "list", "watch"]),
            rule(group, "connectorcredentials/status", &["patch"]),
            rule("events.k8s.io", "events", &["create"]),
        ];
        self.grant("credentials", &credentials).await;
        self.grant("secrets", &[rule("", "secrets", &["get", "create", "update", "delete"])]).await;
        account
    }

    /// A namespace in which the operator's own account may hold a Lease that no other story contends for.
    pub(crate) async fn lease_namespace(&self) -> String {
        let namespace = self.bed.namespace("lease").await;
        let rules = [rule("coordination.k8s.io", "leases", &["get", "create", "update"])];
        let role = json!({"metadata": {"name": "lease"}, "rules": rules});
        let binding = json!({
            "metadata": {"name": "lease"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "lease"},
            "subjects": [{"kind": "ServiceAccount", "name": OPERATOR, "namespace": OPERATOR}],
        });
        let (role, binding) = (serde_json::from_value(role), serde_json::from_value(binding));
        let post = PostParams::default();
        self.bed.api::<Role>(&namespace).create(&post, &role.expect("a Role")).await.expect("it is made");
        let bindings = self.bed.api::<RoleBinding>(&namespace);
        bindings.create(&post, &binding.expect("a RoleBinding")).await.expect("it is made");
        let lease = ("coordination.k8s.io", "leases", "update");
        await_right(&self.bed, &format!("{OPERATOR}:{OPERATOR}"), Some(&namespace), lease).await;
        namespace
    }

    async fn grant(&self, name: &str, rules: &[Value]) {
        let role = serde_json::from_value(json!({"metadata": {"name": name}, "rules": rules})).expect("a Role");
        self.bed.api::<Role>(&self.namespace).create(&PostParams::default(), &role).await.expect("it is made");
        self.bind(name).await;
    }

    /// Binds one of the Roles.
    pub(crate) async fn bind(&self, role: &str) {
        let binding = json!({
            "metadata": {"name": role},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": role},
            "subjects": [{"kind": "ServiceAccount", "name": ACCOUNT}],
        });
        let binding = serde_json::from_value(binding).expect("a RoleBinding");
        self.bindings().create(&PostParams::default(), &binding).await.expect("it is made");
    }

    /// Takes it away again.
    pub(crate) async fn unbind(&self, role: &str) {
        self.bindings().delete(role, &DeleteParams::default()).await.expect("it is there");
    }

    fn bindings(&self) -> Api<RoleBinding> {
        self.bed.api(&self.namespace)
    }
}

fn rule(group: &str, resource: &str, verbs: &[&str]) -> Value {
    json!({"apiGroups": [group], "resources": [resource], "verbs": verbs})
}

/// Waits until the API server knows of a right of the account `namespace:name`: it learns of grants a moment later.
pub(crate) async fn await_right(bed: &Bed, account: &str, namespace: Option<&str>, what: (&str, &str, &str)) {
    let (group, resource, verb) = what;
    let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
    let review: SubjectAccessReview = serde_json::from_value(json!({"spec": {
        "user": format!("system:serviceaccount:{account}"),
        "resourceAttributes": {
            "namespace": namespace, "group": group, "resource": resource, "subresource": subresource, "verb": verb,
        },
    }}))
    .expect("a review");
    let api: Api<SubjectAccessReview> = Api::all(bed.client.clone());
    let wait = async {
        loop {
            let answer = api.create(&PostParams::default(), &review).await.expect("the administrator may ask");
            if answer.status.is_some_and(|status| status.allowed) {
                return;
            }
        }
    };
    tokio::time::timeout(SOON, wait).await.unwrap_or_else(|_| panic!("{account} may not {verb} {resource}"));
}
