public import DubCore

/// A graph unfolded for one item: which nodes there are, which are ready, which wait for what.
///
/// A value without clock or task: the runner asks for ready nodes, reports what they wrote, and the plan unfolds
/// further where a list that was just written is fanned out over. Every operation costs the same however many nodes
/// there are: groups of nodes count what is open below them, so that nothing is searched.
public struct Plan: Sendable {
    /// One stage on one combination of elements.
    public struct Node: Sendable {
        /// An index into the graph's steps.
        public let step: Int
        /// One index for each of the step's axes.
        public let coordinates: [Int]
        /// How many inputs are not there yet.
        fileprivate var missing = 0
        fileprivate let group: Int
        /// What it wrote, once it is done.
        public fileprivate(set) var outputs: [String: StageValue]?
    }

    /// All nodes of a step that share the first coordinates: a branch of the unfolding, or one node.
    private struct Group {
        let step: Int
        let prefix: [Int]
        let parent: Int?
        var children: [Int] = []
        var open = 0
        var isExpanded = false
        var isComplete = false
        var node: Int?
        var waitingNodes: [Int] = []
        var waitingGroups: [Int] = []
    }

    private struct Place: Hashable {
        let step: Int
        let prefix: [Int]
    }

    /// What is unfolded.
    public let graph: Graph
    /// Every node so far; a node keeps its index.
    public private(set) var nodes: [Node] = []
    private var groups: [Group] = []
    private var places: [Place: Int] = [:]
    private var ready: [Int] = []
    private var openSteps: Int

    /// Unfolds what is known before anything ran.
    public init(_ graph: Graph) {
        self.graph = graph
        openSteps = graph.steps.count
        for step in graph.steps.indices { expand(group(Place(step: step, prefix: []))) }
    }

    /// Takes a node whose inputs are all there; `nil` when every such node was taken.
    public mutating func popReady() -> Int? { ready.popLast() }

    /// Whether every node that can exist is done.
    public var isFinished: Bool { openSteps == 0 }

    /// Records what a node wrote and unfolds what waited for it.
    public mutating func finish(_ node: Int, outputs: [String: StageValue]) {
        precondition(nodes[node].outputs == nil, "a node finishes once")
        nodes[node].outputs = outputs
        complete(nodes[node].group)
    }

    /// The name of a node, as people read it: `translate[es,3]`.
    public func name(of node: Int) -> String {
        let step = graph.steps[nodes[node].step]
        guard !step.axes.isEmpty else { return step.name }
        let parts = zip(step.axes, nodes[node].coordinates).map { axis, index in
            value(ofAxis: axis, at: index)?.string ?? String(index + 1)
        }
        return "\(step.name)[\(parts.joined(separator: ","))]"
    }

    /// A parameter axis's element as text, by the axis's name; the number counted from 1 on other axes.
    public func labels(of node: Int) -> [String: String] {
        let step = graph.steps[nodes[node].step]
        return Dictionary(
            zip(step.axes, nodes[node].coordinates).map { axis, index in
                (graph.axes[axis].name, value(ofAxis: axis, at: index)?.string ?? String(index + 1))
            }, uniquingKeysWith: { $1 })
    }

    /// The inputs and settings of a node that is ready.
    ///
    /// - Parameter given: what the run was handed from outside.
    public func inputs(of index: Int, given: [String: Artifact]) -> StageInputs {
        let node = nodes[index]
        let step = graph.steps[node.step]
        var values: [String: StageValue] = [:]
        for (name, source) in step.inputs {
            switch source {
            case .given(let given_): values[name] = given[given_].map { .one($0) }
            case .output(let producer, let output):
                let axes = graph.steps[producer].axes
                let prefix = restrict(node, to: axes)
                guard let group = places[Place(step: producer, prefix: prefix)] else { continue }
                if prefix.count == axes.count {
                    values[name] = groups[group].node.flatMap { nodes[$0].outputs?[output] }
                } else {
                    var gathered: [Artifact] = []
                    gather(output, below: group, into: &gathered)
                    values[name] = .list(gathered)
                }
            case .element(let producer, let output, let axis):
                guard let group = places[Place(step: producer, prefix: restrict(node, to: graph.steps[producer].axes))],
                    let list = groups[group].node.flatMap({ nodes[$0].outputs?[output]?.artifacts }),
                    let position = step.axes.firstIndex(of: axis), list.indices.contains(node.coordinates[position])
                else { continue }
                values[name] = .one(list[node.coordinates[position]])
            }
        }
        var names = graph.parameters
        for (axis, index) in zip(step.axes, node.coordinates) {
            if let value = value(ofAxis: axis, at: index) { names[graph.axes[axis].name] = value }
        }
        return StageInputs(
            values: values, parameters: step.parameters.mapValues { Substitution.fill($0, from: names) })
    }

    /// What the nodes of a step wrote under a name, with the nodes, in order.
    public func outputs(ofStep step: Int, named output: String) -> [(node: Int, value: StageValue)] {
        nodes.indices.filter { nodes[$0].step == step }
            .sorted { nodes[$0].coordinates.lexicographicallyPrecedes(nodes[$1].coordinates) }
            .compactMap { index in nodes[index].outputs?[output].map { (index, $0) } }
    }

    // MARK: - Unfolding

    private func value(ofAxis axis: Int, at index: Int) -> JSONValue? {
        guard case .parameter(let elements) = graph.axes[axis].source else { return nil }
        return elements[index]
    }

    /// The coordinates of a node on those of `axes` that it has, in the order of `axes`.
    private func restrict(_ node: Node, to axes: [Int]) -> [Int] {
        restrict(node.coordinates, of: node.step, to: axes)
    }

    private func restrict(_ coordinates: [Int], of step: Int, to axes: [Int]) -> [Int] {
        axes.compactMap { axis in
            graph.steps[step].axes.prefix(coordinates.count).firstIndex(of: axis).map { coordinates[$0] }
        }
    }

    private mutating func group(_ place: Place) -> Int {
        if let known = places[place] { return known }
        let parent = place.prefix.isEmpty ? nil : group(Place(step: place.step, prefix: place.prefix.dropLast()))
        groups.append(Group(step: place.step, prefix: place.prefix, parent: parent))
        places[place] = groups.count - 1
        return groups.count - 1
    }

    private mutating func expand(_ index: Int) {
        let (step, prefix) = (groups[index].step, groups[index].prefix)
        let axes = graph.steps[step].axes
        guard prefix.count < axes.count else { return makeNode(in: index) }
        let count: Int
        switch graph.axes[axes[prefix.count]].source {
        case .parameter(let elements): count = elements.count
        case .output(let producer, let output):
            let source = group(
                Place(step: producer, prefix: restrict(prefix, of: step, to: graph.steps[producer].axes)))
            guard let outputs = groups[source].node.flatMap({ nodes[$0].outputs }) else {
                groups[source].waitingGroups.append(index)
                return
            }
            count = outputs[output]?.artifacts.count ?? 0
        }
        groups[index].isExpanded = true
        groups[index].open = count
        guard count > 0 else { return complete(index) }
        groups[index].children = (0..<count).map { group(Place(step: step, prefix: prefix + [$0])) }
        for child in groups[index].children { expand(child) }
    }

    private mutating func makeNode(in index: Int) {
        let (step, coordinates) = (groups[index].step, groups[index].prefix)
        nodes.append(Node(step: step, coordinates: coordinates, group: index))
        let node = nodes.count - 1
        groups[index].node = node
        groups[index].isExpanded = true
        var sources: Set<Int> = []
        for (_, source) in graph.steps[step].inputs {
            switch source {
            case .given: continue
            case .output(let producer, _), .element(let producer, _, _):
                sources.insert(
                    group(Place(step: producer, prefix: restrict(nodes[node], to: graph.steps[producer].axes))))
            }
        }
        for source in sources where !groups[source].isComplete {
            groups[source].waitingNodes.append(node)
            nodes[node].missing += 1
        }
        if nodes[node].missing == 0 { ready.append(node) }
    }

    private mutating func complete(_ first: Int) {
        var next: Int? = first
        while let index = next {
            groups[index].isComplete = true
            for node in groups[index].waitingNodes {
                nodes[node].missing -= 1
                if nodes[node].missing == 0 { ready.append(node) }
            }
            groups[index].waitingNodes = []
            let waiting = groups[index].waitingGroups
            groups[index].waitingGroups = []
            for group in waiting { expand(group) }
            next = nil
            if let parent = groups[index].parent {
                groups[parent].open -= 1
                if groups[parent].isExpanded, groups[parent].open == 0 { next = parent }
            } else {
                openSteps -= 1
            }
        }
    }

    private func gather(_ output: String, below index: Int, into gathered: inout [Artifact]) {
        if let node = groups[index].node {
            gathered += nodes[node].outputs?[output]?.artifacts ?? []
        } else {
            for child in groups[index].children { gather(output, below: child, into: &gathered) }
        }
    }
}
