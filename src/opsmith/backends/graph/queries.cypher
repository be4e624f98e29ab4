// Statements of the graph. Each runs on Neo4j 5 and on the embedded database alike, unless it
// says so. LABEL, SOURCE, TARGET and TYPE stand for names out of our own fixed lists, ASSIGNMENTS
// for `n.property = r.property, …` over their properties; everything else is a parameter.

// name: unique
// Neo4j only: one node an id, and an index to find it by.
CREATE CONSTRAINT LOWERED_id IF NOT EXISTS FOR (n:LABEL) REQUIRE n.id IS UNIQUE

// name: empty_incidents
// What incidents contained before they are written anew. ids: of incidents.
UNWIND $ids AS i MATCH (n:Incident) WHERE n.id = i MATCH (n)-[e:CONTAINS]->() DELETE e

// name: merge_nodes
// Add nodes or renew them. rows: id and every property.
UNWIND $rows AS r MERGE (n:LABEL {id: r.id}) SET ASSIGNMENTS

// name: merge_links
// Add links or renew them; a row whose ends are not there does nothing. rows: source, target and
// every property. Two MATCH, so that the embedded database looks both ends up by their keys.
UNWIND $rows AS r MATCH (a:SOURCE) WHERE a.id = r.source MATCH (b:TARGET) WHERE b.id = r.target
MERGE (a)-[e:TYPE]->(b) SET ASSIGNMENTS

// name: known_nodes
// The ids of a kind that are there.
MATCH (n:LABEL) RETURN n.id

// name: known_links
// The ends of the links of a kind that are there.
MATCH (a:SOURCE)-[e:TYPE]->(b:TARGET) RETURN a.id, b.id

// name: take_nodes
// Nodes of a kind by their ids. PROPERTIES: `n.id, n.name, …`.
UNWIND $ids AS i MATCH (n:LABEL) WHERE n.id = i RETURN PROPERTIES

// name: hop
// Embedded only: the links of the nodes so many steps away, over no other incident. STEPS: the way
// there, `-[]-(n1)-[]-(n2)`, ending in LAST. PASSED: what no node on it may be.
MATCH (n0:LABEL {id: $id})STEPS-[e]-(c) PASSED RETURN LAST.id, c.id, label(e), PROPERTIES

// name: step
// Neo4j only, as one record of lists: the nodes of a kind, what is at the other ends of their
// links, the kinds of these, and whether they lead there.
UNWIND $ids AS i MATCH (a:LABEL {id: i})-[e]-(b) WHERE b.id IS NOT NULL
RETURN collect(i), collect(b.id), collect(type(e)), collect(coalesce(e.source, i) = i)

// name: take_links
// Neo4j only, as one list: the links of nodes of a kind with some others. rows: id and others.
// PROPERTIES: `e.seen, e.weight, …`.
UNWIND $rows AS r MATCH (a:LABEL {id: r.id})-[e]-(b) WHERE b.id IN r.others
RETURN collect([a.id, b.id, type(e), PROPERTIES])

// name: all_nodes
// Every node of a kind.
MATCH (n:LABEL) RETURN PROPERTIES ORDER BY n.id LIMIT $most

// name: all_links
// Every link of a kind between two kinds of nodes.
MATCH (b:SOURCE)-[e:TYPE]->(c:TARGET) RETURN b.id, c.id, PROPERTIES

// name: forget_links
// Drop links of a kind that were not heard of since.
MATCH (:SOURCE)-[e:TYPE]->(:TARGET) WHERE e.seen < $before DELETE e

// name: count_old
// How many nodes of a kind were not heard of since.
MATCH (n:LABEL) WHERE n.seen < $before RETURN count(*)

// name: forget_nodes
// Drop nodes of a kind that were not heard of since, with their links.
MATCH (n:LABEL) WHERE n.seen < $before DETACH DELETE n

// name: count_nodes
// How many nodes of a kind there are.
MATCH (n:LABEL) RETURN count(*)

// name: count_links
// How many links of a kind there are.
MATCH ()-[e:TYPE]->() RETURN count(*)
