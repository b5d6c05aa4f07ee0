// For mongosh: makes the replica set of compose.yaml and its users, unless they exist.

const { readFileSync } = require("fs");
const admin = db.getSiblingDB("admin");
const secret = (name) => readFileSync(`/run/secrets/${name}`, "utf8").trim();
const rootPassword = secret("mongodb-root-password");

function isRoot() {
  try {
    return admin.auth("root", rootPassword).ok === 1;
  } catch (error) {
    if (error.codeName === "AuthenticationFailed") return false;
    throw error;
  }
}

if (!isRoot()) {
  const hosts = ["mongodb-1:27017", "mongodb-2:27017", "mongodb-3:27017"];
  const members = hosts.map((host, number) => ({ _id: number, host, priority: number ? 1 : 2 }));
  try {
    rs.initiate({ _id: "indico", members });
  } catch (error) {
    if (error.codeName !== "AlreadyInitialized") throw error;
  }
  while (!db.hello().isWritablePrimary) sleep(200);
  admin.createUser({ user: "root", pwd: rootPassword, roles: ["root"] });
  isRoot();
}

if (!admin.getUser("indico")) {
  // dbAdmin is for the validators of collections: see document_validation.
  const roles = ["readWrite", "dbAdmin"].map((role) => ({ role, db: "indico" }));
  admin.createUser({ user: "indico", pwd: secret("mongodb-password"), roles });
}
