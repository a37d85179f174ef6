internal import DubCore

extension Plan {
    /// Where what a node reads stands.
    enum Spot {
        /// One node.
        case node(Int)
        /// All nodes below a group.
        case group(Int)
        /// Below a group that is not unfolded.
        case unborn(Int)
    }

    /// Where a producer's nodes stand for a reader's coordinates, of which there may be fewer than it has axes.
    func spot(of producer: Int, for reader: Int, at coordinates: [Int]) -> Spot {
        let axes = graph.steps[producer].axes
        var group = producer
        if axes.isEmpty { return groups[group].first < 0 ? .unborn(group) : .node(Int(groups[group].first)) }
        let readerAxes = graph.steps[reader].axes.prefix(coordinates.count)
        // The axes that are shared come first in the producer's list: GraphCheck sees to it.
        for (depth, axis) in axes.enumerated() {
            guard let position = readerAxes.firstIndex(of: axis) else { return .group(group) }
            guard groups[group].first >= 0 else { return .unborn(group) }
            let member = Int(groups[group].first) + coordinates[position]
            if depth == axes.count - 1 { return .node(member) }
            group = member
        }
        return .group(group)
    }

    // MARK: - Unfolding

    /// Makes a group's members, or has it wait for the list that they are counted by.
    mutating func unfold(_ index: Int) {
        let step = Int(groups[index].step)
        let axes = graph.steps[step].axes
        guard !axes.isEmpty else { return makeNodes(1, in: index) }
        let count: Int
        switch graph.axes[axes[Int(groups[index].depth)]].source {
        case .parameter(let elements): count = elements.count
        case .output(let producer, let output):
            switch spot(of: producer, for: step, at: prefix(of: index)) {
            case .unborn(let group):
                return groups[group].births = link(~index, producer, before: groups[group].births)
            case .group: return
            case .node(let node):
                guard nodes[node].state.isSettled else {
                    return nodes[node].waiters = link(~index, producer, before: nodes[node].waiters)
                }
                count = value(output, of: node)?.artifacts.count ?? 0
            }
        }
        if isLast(index) { makeNodes(count, in: index) } else { makeGroups(count, in: index) }
    }

    private mutating func makeGroups(_ count: Int, in index: Int) {
        let first = groups.count
        let (step, depth) = (groups[index].step, groups[index].depth + 1)
        for position in 0..<count {
            groups.append(Group(step: step, parent: Int32(index), position: Int32(position), depth: depth))
        }
        born(index, first: first, count: count)
        for group in first..<first + count { unfold(group) }
    }

    private mutating func makeNodes(_ count: Int, in index: Int) {
        let step = Int(groups[index].step)
        let first = nodes.count
        for _ in 0..<count { nodes.append(Node(step: step, group: index)) }
        born(index, first: first, count: count)
        for node in first..<first + count {
            for producer in producers[step] where waits(node, for: producer) { nodes[node].missing += 1 }
            if nodes[node].missing == 0 { admit(node) }
        }
    }

    private mutating func born(_ index: Int, first: Int, count: Int) {
        groups[index].first = Int32(first)
        groups[index].count = Int32(count)
        groups[index].open = Int32(count)
        if isLast(index) { groups[index].total = Int32(count) }
        if count == 0 { events.append(.group(index)) }
        var next = groups[index].births
        groups[index].births = -1
        while next >= 0 {
            let link = links[Int(next)]
            next = link.next
            if link.waiter < 0 {
                unfold(Int(~link.waiter))
            } else if !waits(Int(link.waiter), for: Int(link.producer)) {
                arrive(at: Int(link.waiter))
            }
        }
    }

    /// Has a node wait for what it reads from a step; `false` where it is there.
    private mutating func waits(_ node: Int, for producer: Int) -> Bool {
        switch spot(of: producer, for: nodes[node].step, at: coordinates(of: node)) {
        case .unborn(let group): groups[group].births = link(node, producer, before: groups[group].births)
        case .node(let read):
            if nodes[read].state.isSettled { return false }
            nodes[read].waiters = link(node, producer, before: nodes[read].waiters)
        case .group(let group):
            if groups[group].isComplete { return false }
            groups[group].waiters = link(node, producer, before: groups[group].waiters)
        }
        return true
    }

    /// Puts one who waits before a list of those who do.
    ///
    /// - Returns: the new head.
    private mutating func link(_ waiter: Int, _ producer: Int, before head: Int32) -> Int32 {
        links.append(Link(waiter: Int32(waiter), producer: Int32(producer), next: head))
        return Int32(links.count - 1)
    }

    // MARK: - Settling

    /// Tells those who waited for what was settled, and what that settles in turn.
    mutating func settle() {
        while let event = events.popLast() {
            switch event {
            case .node(let node):
                let waiters = nodes[node].waiters
                nodes[node].waiters = -1
                wake(waiters)
                let group = Int(nodes[node].group)
                if nodes[node].state == .lost { groups[group].lost += 1 }
                close(group)
            case .group(let group):
                groups[group].isComplete = true
                let waiters = groups[group].waiters
                groups[group].waiters = -1
                wake(waiters)
                let parent = Int(groups[group].parent)
                if parent >= 0 {
                    groups[parent].total += groups[group].total
                    groups[parent].lost += groups[group].lost
                    close(parent)
                } else if !isOverdrawn(group) {
                    openSteps -= 1
                }
            }
        }
    }

    private mutating func close(_ group: Int) {
        groups[group].open -= 1
        if groups[group].open == 0 { events.append(.group(group)) }
    }

    private mutating func wake(_ head: Int32) {
        var next = head
        while next >= 0 {
            let link = links[Int(next)]
            next = link.next
            if link.waiter < 0 { unfold(Int(~link.waiter)) } else { arrive(at: Int(link.waiter)) }
        }
    }

    private mutating func arrive(at node: Int) {
        nodes[node].missing -= 1
        if nodes[node].missing == 0 { admit(node) }
    }

    /// Whether more was lost below a group than its step tolerates.
    private func isOverdrawn(_ group: Int) -> Bool {
        let lost = Int(groups[group].lost)
        return lost > 0 && lost > tolerances[Int(groups[group].step)].allowed(of: Int(groups[group].total))
    }

    /// A node all of whose inputs are settled: ready, or left out.
    private mutating func admit(_ node: Int) {
        let step = graph.steps[nodes[node].step]
        let coordinates = coordinates(of: node)
        var state = State.ready
        if let when = step.when, !holds(when, for: step, at: coordinates) { state = .skipped }
        for (name, source) in step.inputs where state != .blocked {
            guard let producer = source.producer else { continue }
            switch spot(of: producer, for: nodes[node].step, at: coordinates) {
            case .unborn: continue
            case .group(let group):
                if isOverdrawn(group) { state = .blocked }
            case .node(let read):
                guard nodes[read].state != .done, state != .lost,
                    step.signature.inputs.first(where: { $0.name == name })?.isOptional != true
                else { continue }
                state = nodes[read].state
            }
        }
        nodes[node].state = state
        if state == .ready {
            ready.append(node)
        } else if state.isSettled {
            events.append(.node(node))
        }
    }

    private func holds(_ condition: Condition, for step: Graph.Step, at coordinates: [Int]) -> Bool {
        let own = zip(step.axes, coordinates).first { graph.axes[$0.0].name == condition.name }
        let value = own.flatMap { element(ofAxis: $0.0, at: $0.1) } ?? graph.parameters[condition.name] ?? .null
        return condition.holds(for: value)
    }
}

extension Plan.State {
    /// Whether who reads it may go on.
    var isSettled: Bool { self == .done || self == .skipped || self == .lost }
}
