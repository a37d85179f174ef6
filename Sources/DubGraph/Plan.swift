public import DubCore

/// A graph unfolded for one item: which nodes there are, which are ready, which wait for what.
///
/// A value without clock or task: the runner asks for ready nodes, reports what became of them, and the plan unfolds
/// further where a list that was just written is fanned out over. Every operation costs the same however many nodes
/// there are: groups of nodes count what is open below them, so that nothing is searched; and a node is a few dozen
/// bytes, so that a hundred thousand of them are no burden.
public struct Plan: Sendable {
    /// How far a node is.
    public enum State: UInt8, Sendable {
        /// Something that it reads is not there yet.
        case waiting
        /// It may run, or is running.
        case ready
        /// It wrote its outputs.
        case done
        /// It was not needed: its condition does not hold, or what it requires was left out.
        case skipped
        /// It failed, or what it requires did, and that is tolerated: who gathers goes on without it.
        case lost
        /// It failed: who reads it never runs.
        case failed
        /// More of what it gathers was lost than is tolerated: it never runs.
        case blocked
    }

    /// One stage on one combination of elements.
    public struct Node: Sendable {
        fileprivate let stepIndex: Int32
        /// The group that it is a member of.
        let group: Int32
        /// How many of the stages that it reads are not there yet.
        var missing: Int32 = 0
        /// The first of its outputs among the plan's values, in the order of the signature; −1 before it is done.
        var firstValue: Int32 = -1
        /// Who waits for it: the head of a list of links; −1 is its end.
        var waiters: Int32 = -1
        /// How far it is.
        public internal(set) var state = State.waiting

        init(step: Int, group: Int) {
            stepIndex = Int32(step)
            self.group = Int32(group)
        }

        /// An index into the graph's steps.
        public var step: Int { Int(stepIndex) }
    }

    /// The nodes of a step that share the first coordinates: a branch of the unfolding. Its members lie side by side:
    /// nodes on the last axis, groups before it.
    struct Group {
        let step: Int32
        let parent: Int32
        /// Its place among its parent's members.
        let position: Int32
        /// How many coordinates its members share.
        let depth: Int32
        /// The first member; −1 while it is not unfolded.
        var first: Int32 = -1
        var count: Int32 = 0
        /// Members that are not settled.
        var open: Int32 = 0
        /// Nodes below, and how many of them were lost; known once it is complete.
        var total: Int32 = 0
        var lost: Int32 = 0
        var isComplete = false
        /// Who waits for it to be complete.
        var waiters: Int32 = -1
        /// Who waits for it to be unfolded.
        var births: Int32 = -1
    }

    /// One who waits, in a list.
    struct Link {
        /// A node, or the complement of a group that waits to be unfolded.
        var waiter: Int32
        /// The step that it waits for.
        var producer: Int32
        var next: Int32
    }

    /// Something that was just settled, and whose waiters are to be told.
    enum Event {
        case node(Int)
        case group(Int)
    }

    /// What is unfolded.
    public let graph: Graph
    /// Every node so far; a node keeps its index.
    public internal(set) var nodes: [Node] = []
    /// A root for each step comes first.
    var groups: [Group] = []
    var values: [StageValue] = []
    var links: [Link] = []
    var events: [Event] = []
    var ready: [Int] = []
    var openSteps: Int
    /// By step: the steps that its inputs come from, each once.
    let producers: [[Int]]
    /// By step: how much may be lost below what gathers it, inherited along what is read element by element.
    let tolerances: [Tolerance]
    /// By step: its settings, where they are the same for all its nodes.
    private let settings: [[String: JSONValue]?]

    /// Unfolds what is known before anything ran.
    public init(_ graph: Graph) {
        self.graph = graph
        openSteps = graph.steps.count
        producers = graph.steps.map { step in
            Set(step.inputs.compactMap { $0.source.producer }).sorted()
        }
        var tolerances: [Tolerance] = []
        for (index, step) in graph.steps.enumerated() {
            let inherited = producers[index].lazy.filter { Set(graph.steps[$0].axes).isSubset(of: step.axes) }
                .map { tolerances[$0] }.first { $0 != .none }
            tolerances.append(step.policy.tolerance == .none ? inherited ?? .none : step.policy.tolerance)
        }
        self.tolerances = tolerances
        settings = graph.steps.map { step in
            let own = Set(step.axes.map { graph.axes[$0].name })
            let names = step.parameters.values.flatMap { Substitution.names(in: $0) }
            guard own.isDisjoint(with: names) else { return nil }
            return step.parameters.mapValues { Substitution.fill($0, from: graph.parameters) }
        }
        groups = graph.steps.indices.map { Group(step: Int32($0), parent: -1, position: 0, depth: 0) }
        for step in graph.steps.indices { unfold(step) }
        settle()
    }

    // MARK: - For who runs it

    /// Takes a node whose inputs are all there; `nil` when every such node was taken.
    public mutating func popReady() -> Int? { ready.popLast() }

    /// Whether all nodes of a step are there and settled: done, not needed, or lost within what is tolerated.
    public func isComplete(step: Int) -> Bool { groups[step].isComplete }

    /// Whether every node that can exist is done, was not needed, or was lost within what is tolerated.
    public var isFinished: Bool { openSteps == 0 }

    /// Records what a node wrote and unfolds what waited for it.
    public mutating func finish(_ node: Int, outputs: [String: StageValue]) {
        precondition(nodes[node].state == .ready, "a node finishes once")
        nodes[node].state = .done
        nodes[node].firstValue = Int32(values.count)
        for output in graph.steps[nodes[node].step].signature.outputs {
            values.append(outputs[output.name] ?? .list([]))
        }
        events.append(.node(node))
        settle()
    }

    /// Records that a node failed for good.
    ///
    /// - Returns: whether the pipeline tolerates it, so far.
    @discardableResult
    public mutating func fail(_ node: Int) -> Bool {
        precondition(nodes[node].state == .ready, "a node fails once")
        guard graph.steps[nodes[node].step].policy.tolerance != .none else {
            nodes[node].state = .failed
            return false
        }
        nodes[node].state = .lost
        events.append(.node(node))
        settle()
        return true
    }

    /// The name of a node, as people read it: `translate[es,3]`.
    public func name(of node: Int) -> String {
        let step = graph.steps[nodes[node].step]
        guard !step.axes.isEmpty else { return step.name }
        let parts = zip(step.axes, coordinates(of: node)).map { axis, index in
            element(ofAxis: axis, at: index).map { $0.string ?? $0.canonical } ?? String(index + 1)
        }
        return "\(step.name)[\(parts.joined(separator: ","))]"
    }

    /// A parameter axis's element as text, by the axis's name; the number counted from 1 on other axes.
    public func labels(of node: Int) -> [String: String] {
        let step = graph.steps[nodes[node].step]
        return Dictionary(
            zip(step.axes, coordinates(of: node)).map { axis, index in
                let element = element(ofAxis: axis, at: index)
                return (graph.axes[axis].name, element.map { $0.string ?? $0.canonical } ?? String(index + 1))
            }, uniquingKeysWith: { $1 })
    }

    /// The inputs and settings of a node that is ready.
    ///
    /// - Parameter given: what the run was handed from outside.
    public func inputs(of node: Int, given: [String: Artifact]) -> StageInputs {
        let stepIndex = nodes[node].step
        let step = graph.steps[stepIndex]
        let coordinates = coordinates(of: node)
        var inputs: [String: StageValue] = [:]
        for (name, source) in step.inputs {
            switch source {
            case .given(let given_): inputs[name] = given[given_].map { .one($0) }
            case .output(let producer, let output):
                switch spot(of: producer, for: stepIndex, at: coordinates) {
                case .node(let read): inputs[name] = value(output, of: read)
                case .group(let group):
                    var gathered: [Artifact] = []
                    forEachNode(below: group) { gathered += value(output, of: $0)?.artifacts ?? [] }
                    inputs[name] = .list(gathered)
                case .unborn: continue
                }
            case .element(let producer, let output, let axis):
                guard case .node(let read) = spot(of: producer, for: stepIndex, at: coordinates),
                    let list = value(output, of: read)?.artifacts,
                    let position = step.axes.firstIndex(of: axis), list.indices.contains(coordinates[position])
                else { continue }
                inputs[name] = .one(list[coordinates[position]])
            }
        }
        return StageInputs(values: inputs, parameters: settings[stepIndex] ?? filled(step, at: coordinates))
    }

    /// What a node wrote under a name; `nil` unless it is done.
    public func value(_ output: String, of node: Int) -> StageValue? {
        let first = Int(nodes[node].firstValue)
        guard first >= 0,
            let index = graph.steps[nodes[node].step].signature.outputs.firstIndex(where: { $0.name == output })
        else { return nil }
        return values[first + index]
    }

    /// What the nodes of a step wrote under a name, with the nodes, in order.
    public func outputs(ofStep step: Int, named output: String) -> [(node: Int, value: StageValue)] {
        var found: [(node: Int, value: StageValue)] = []
        forEachNode(below: step) { node in
            if let value = value(output, of: node) { found.append((node, value)) }
        }
        return found
    }

    // MARK: - Places and settings

    /// One index for each of the axes of the node's step.
    func coordinates(of node: Int) -> [Int] {
        let group = Int(nodes[node].group)
        guard !graph.steps[nodes[node].step].axes.isEmpty else { return [] }
        return prefix(of: group) + [node - Int(groups[group].first)]
    }

    /// The coordinates that a group's members share.
    func prefix(of group: Int) -> [Int] {
        var prefix = [Int](repeating: 0, count: Int(groups[group].depth))
        var group = group
        for index in prefix.indices.reversed() {
            prefix[index] = Int(groups[group].position)
            group = Int(groups[group].parent)
        }
        return prefix
    }

    /// An element of a parameter axis.
    func element(ofAxis axis: Int, at index: Int) -> JSONValue? {
        guard case .parameter(let elements) = graph.axes[axis].source else { return nil }
        return elements[index]
    }

    private func filled(_ step: Graph.Step, at coordinates: [Int]) -> [String: JSONValue] {
        var names = graph.parameters
        for (axis, index) in zip(step.axes, coordinates) {
            names[graph.axes[axis].name] = element(ofAxis: axis, at: index) ?? .integer(Int64(index + 1))
        }
        return step.parameters.mapValues { Substitution.fill($0, from: names) }
    }

    private func forEachNode(below group: Int, _ body: (Int) -> Void) {
        let first = Int(groups[group].first)
        guard first >= 0 else { return }
        let members = first..<first + Int(groups[group].count)
        if isLast(group) {
            members.forEach(body)
        } else {
            for member in members { forEachNode(below: member, body) }
        }
    }

    /// Whether a group's members are nodes.
    func isLast(_ group: Int) -> Bool {
        Int(groups[group].depth) >= graph.steps[Int(groups[group].step)].axes.count - 1
    }
}

extension Graph.Source {
    /// The step that it comes from; `nil` for what is given from outside.
    var producer: Int? {
        switch self {
        case .given: nil
        case .output(let step, _), .element(let step, _, _): step
        }
    }
}
