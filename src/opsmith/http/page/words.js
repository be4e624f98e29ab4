"use strict";
// What the page says, in both languages; a word may take what it is about.
const words = {
  en: { live: "live", lost: "connection lost, trying again", connecting: "connecting", looking: "looking for the cause …",
        alerts: (n, all) => `${n} of ${all} alerts firing`, alertList: (n) => `Alerts (${n})`, signList: (n) => `Evidence from metrics (${n})`,
        seen: "Seen before:", after: "Soon after", confirmed: "confirmed:", rejected: "ruled out:", sure: "sure", choose: "…", over: "over",
        due: (left) => `crosses in about ${left}`, past: "should have crossed by now", noted: "noted", failed: "That was refused:",
        counts: (open, all) => `${open} open, ${all} in all`,
        open: "open", mitigated: "mitigated", resolved: "resolved", "confirmed-state": "confirmed",
        you: (name, role) => `you are ${name} (${role})`, viewer: "you may look, not decide",
        waits: "waits for approval", ready: "may be run", "plan-running": "running", done: "done and verified", undone: "undone", "plan-failed": "failed", "plan-rejected": "rejected", refused: "refused by policy",
        read: "reads", change: "changes", destructive: "destroys",
        planCounts: (waiting, running) => [waiting && `${waiting} waiting`, running && `${running} running`].filter(Boolean).join(", "),
        by: (name) => `by ${name}`, touches: (n) => `touches ${n} ${n === 1 ? "target" : "targets"}`, tenant: (name) => `tenant ${name}`, incident: (id) => `incident ${id}`,
        on: "on", undo: "Undo:", undoOwn: "as the action says", noUndo: "Cannot be undone:", verify: "Verified when:", members: "In fact:", values: "With:",
        check: (kind, subject, within, holds) => `${kind} ${subject}: within ${within}, and holds for ${holds}`, checks: "Afterwards this must come true:", elseUndone: "else all of it is undone",
        noChecks: "Nothing is checked afterwards but each step by itself.", waves: (list) => `In waves of ${list} steps, checked between.`,
        rule: (rule) => `Policy rule “${rule}”:`, needs: (n) => n === 1 ? "one person must agree." : `${n} different people must agree.`, free: "needs nobody's approval.", denied: "no.",
        gave: (who) => `${who} agreed, good for`, expired: (who) => `${who} agreed, which has expired.`, nameless: "It takes people with names of their own; this page came in under a key or an address that several share (opsmith principal add).",
        settling: "Every step is verified; now it is watched whether it helped.", "plan-abandoned": "begun, never ended", abandoned: "Nobody carries it out any more: its process died. What was begun stands below, and can be undone.",
        sureApprove: (id) => `Yes, approve ${id}`, sureRun: (id) => `Yes, run ${id} now`, sureUndo: (id) => `Yes, undo ${id}`,
        pending: "not begun", started: "being done", applied: "done, being verified", verified: "verified", "act-failed": "failed", not_begun: "not begun", "act-undone": "undone", undo_failed: "undo failed",
        step: (n) => `step ${n}`, proposed: "proposed", approved: "approved", rejectedShort: "rejected",
        noQueue: "Nothing was ever put on the queue.", noTasks: "The queue has no tasks.",
        taskCounts: (n) => ["running", "waiting", "delayed", "dead", "done", "cancelled"].filter((s) => n[s]).map((s) => `${n[s]} ${words.en[`task-${s}`]}`).join(", "),
        "task-running": "running", "task-waiting": "waiting", "task-delayed": "delayed", "task-dead": "failed", "task-done": "done", "task-cancelled": "cancelled", attempt: (n) => `attempt ${n}`,
        asking: "reading …", askFailed: "No answer:", readAs: "Read as:", from: "From:", found: (n) => `${n} found`, narrated: "told by the language model" },
  zh: { live: "实时", lost: "连接中断，正在重试", connecting: "正在连接", looking: "正在寻找根因…",
        alerts: (n, all) => `${all} 条告警中 ${n} 条触发`, alertList: (n) => `告警（${n}）`, signList: (n) => `指标证据（${n}）`,
        seen: "曾经出现：", after: "紧随", confirmed: "已确认：", rejected: "已排除：", sure: "把握", choose: "…", over: "已结束",
        due: (left) => `约 ${left} 后越过阈值`, past: "按预测此时应已越过", noted: "已记录", failed: "被拒绝：",
        counts: (open, all) => `${open} 个进行中，共 ${all} 个`,
        open: "进行中", mitigated: "已缓解", resolved: "已解决", "confirmed-state": "已确认",
        you: (name, role) => `当前身份 ${name}（${role}）`, viewer: "只能查看，不能审批",
        waits: "等待批准", ready: "可以执行", "plan-running": "执行中", done: "已完成并验证", undone: "已撤销", "plan-failed": "失败", "plan-rejected": "已拒绝", refused: "策略拒绝",
        read: "只读", change: "变更", destructive: "破坏性",
        planCounts: (waiting, running) => [waiting && `${waiting} 个等待批准`, running && `${running} 个执行中`].filter(Boolean).join("，"),
        by: (name) => `提出人 ${name}`, touches: (n) => `影响 ${n} 个目标`, tenant: (name) => `租户 ${name}`, incident: (id) => `故障 ${id}`,
        on: "→", undo: "撤销方式：", undoOwn: "由动作自身说明", noUndo: "无法撤销：", verify: "验证条件：", members: "实际涉及：", values: "参数：",
        check: (kind, subject, within, holds) => `${kind} ${subject}：${within}内成立，并保持 ${holds}`, checks: "随后必须成立：", elseUndone: "否则全部撤销",
        noChecks: "除逐步验证外，随后不再检查。", waves: (list) => `分批执行（每批 ${list} 步），批间检查。`,
        rule: (rule) => `策略规则“${rule}”：`, needs: (n) => n === 1 ? "需一人批准。" : `需 ${n} 位不同的人批准。`, free: "无需批准。", denied: "不允许。",
        gave: (who) => `${who} 已批准，有效期还剩`, expired: (who) => `${who} 的批准已过期。`, nameless: "需要各自具名的人批准；本页以共用的密钥或地址进入（opsmith principal add）。",
        settling: "每一步都已验证；正在观察是否见效。", "plan-abandoned": "已开始，未结束", abandoned: "已没有进程在执行它：执行进程已终止。已做的步骤见下，可以撤销。",
        sureApprove: (id) => `确认批准 ${id}`, sureRun: (id) => `确认立即执行 ${id}`, sureUndo: (id) => `确认撤销 ${id}`,
        pending: "未开始", started: "执行中", applied: "已执行，验证中", verified: "已验证", "act-failed": "失败", not_begun: "未开始", "act-undone": "已撤销", undo_failed: "撤销失败",
        step: (n) => `第 ${n} 步`, proposed: "已提出", approved: "已批准", rejectedShort: "已拒绝",
        noQueue: "队列还没有用过。", noTasks: "队列中没有任务。",
        taskCounts: (n) => ["running", "waiting", "delayed", "dead", "done", "cancelled"].filter((s) => n[s]).map((s) => `${n[s]} 个${words.zh[`task-${s}`]}`).join("，"),
        "task-running": "执行中", "task-waiting": "等待中", "task-delayed": "延后", "task-dead": "失败", "task-done": "完成", "task-cancelled": "已取消", attempt: (n) => `第 ${n} 次`,
        asking: "正在理解…", askFailed: "没有回答：", readAs: "理解为：", from: "来源：", found: (n) => `${n} 条`, narrated: "由语言模型讲述" },
};
export let tongue = (navigator.language || "en").startsWith("zh") ? "zh" : "en";

export const turn = () => { tongue = tongue === "en" ? "zh" : "en"; };

export function say(key, ...rest) {
  const word = words[tongue][key] ?? key;
  return typeof word === "function" ? word(...rest) : word;
}
